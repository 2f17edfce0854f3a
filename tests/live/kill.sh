#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs killed in mid-transfer, under one supervisor: peers get resets, the next program works, nothing leaks.
#     kill.sh [TIMES [SEED]]    or NARU_LIVE_KILLS; 200
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl sha256sum
TIMES=${1:-${NARU_LIVE_KILLS:-200}}
SEED=${2:-${NARU_LIVE_SEED:-1}}

make_file sent 8388608
truncate -s 4G "$DIR/endless"
start_peer
count() { curl -sS "http://127.0.0.1:8000/counts" | python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

# Inside naru run: URL FOLDER TIMES SEED.  Nothing that is to be killed can end before.
cat > "$DIR/victims.sh" <<'END'
url=$1 dir=$2 times=$3 RANDOM=$4
for ((i = 0; i < times; i++)); do
	if [ $((RANDOM % 4)) = 0 ]; then
		curl -sS -o /dev/null "$url/endless" 2>&1 &
	else
		curl -sS -o /dev/null -T "$dir/endless" "$url/up" 2>&1 &
	fi
	victim=$!
	sleep 0.$(printf %03d $((RANDOM % 250)))
	kill -9 $victim 2>/dev/null
	wait $victim 2>/dev/null
	status=$?; [ $status = 137 ] || echo "victim $i ended with $status"
	[ $((i % 20)) = 19 ] && { curl -sS -f -T "$dir/sent" "$url/up" || exit 1; }
done
curl -sS -f -T "$dir/sent" "$url/up"
END

# kill_some TIMES: leaves $DIR/answers, $DIR/pools
kill_some() {
	timeout 300 "$NARU" run --pools -- bash "$DIR/victims.sh" "http://$KERNEL:8000" "$DIR" "$1" "$SEED" \
		> "$DIR/answers" 2> "$DIR/pools" || fail "seed $SEED: naru run ended with $?: $(tail -n 20 "$DIR/answers" "$DIR/pools")"
}

START=$SECONDS
kill_some "$TIMES"
WANT=$(sum_of "$DIR/sent")
same "seed $SEED: uploads that were not killed and came out right" "$(grep -c "^$WANT\$" "$DIR/answers")" $((TIMES / 20 + 1))
same "seed $SEED: anything else that was said" "$(grep -v "^$WANT\$" "$DIR/answers")" ''

RESET=$(count reset) CUT=$(count cut)
echo "seed $SEED: $TIMES killed in $((SECONDS - START)) s; the peer saw $RESET resets, $CUT orderly ends"
same "seed $SEED: bodies that ended in order although the sender was killed" "$CUT" 0
[ "$RESET" -ge $((TIMES * 4 / 5)) ] || fail "seed $SEED: only $RESET resets for $TIMES kills"

# tcp_tw, dst, neigh and what they hold stay for their time; page regions are kept for reuse, not for each kill.
while read -r name in_use; do
	case $name in
	skb | tcp_sock | tcp_req | udp_sock | file | epoll | epitem | ubuf | fragq) same "seed $SEED: $name in use at the end" "$in_use" 0 ;;
	tcp_tw | bind_bucket) [ "$in_use" -le $((TIMES / 20 + 1)) ] || fail "seed $SEED: $name: $in_use" ;;
	dst | neigh | pages) [ "$in_use" -le 16 ] || fail "seed $SEED: $name: $in_use" ;;
	esac
done < <(sed -n '/^Objects/,$ { /^  /p }' "$DIR/pools")
grep -q 'tcp_sock' "$DIR/pools" || fail 'no pools were shown'
echo 'kill: OK'
