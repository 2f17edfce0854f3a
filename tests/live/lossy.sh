#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A kernel peer behind a bad line: 1 % lost, 5 % reordered, 20 ms each way.  Both directions at once, equal hashes.
#     lossy.sh [BYTES [SEED]]    16 MiB; the seed is printed
#
#     naru - TAP naru0 - bridge - TAP near = relay = TAP far - kernel, in a namespace of its own
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl nsenter sha256sum
BYTES=${1:-16777216}
SEED=${2:-${NARU_LIVE_SEED:-1}}
RELAY=${NARU_RELAY:-}
[ -x "$RELAY" ] || skip 'NARU_RELAY does not name the relay'

background unshare -n sleep 1000
FAR=$!
is_apart() { [ "$(readlink /proc/$FAR/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; }
wait_for 'the far namespace' 5 is_apart

background "$RELAY" near far loss=1 reorder=5 delay_ms=20 seed="$SEED" > "$DIR/relay"
RELAY_PID=$!
wait_for 'the relay' 5 grep -q ready "$DIR/relay"

at_far() { nsenter -t $FAR -n "$@"; }
ip link add line type bridge && ip link set line up && ip link set near master line up || skip 'a bridge may not be made here'
ip tuntap add dev naru0 mode tap vnet_hdr && ip link set naru0 master line up || fail 'naru0 cannot be made'
ip link set far netns $FAR
at_far ip link set lo up
at_far ip addr add $KERNEL/24 dev far
at_far ip link set far up

make_file sent "$BYTES"
make_file gift "$BYTES"
need python3 ss
background nsenter -t $FAR -n python3 "$HERE/http_peer.py" --port 8000 --root "$DIR"
is_far_listening() { at_far ss -Hltn 'sport = :8000' | grep -q .; }
wait_for 'the server' 10 is_far_listening

cat > "$DIR/both.sh" <<'END'
curl -sS -f -w "up %{time_total} s\n" -T "$1/sent" -o "$1/answer" "http://$2:8000/up" & up=$!
curl -sS -f -w "down %{time_total} s\n" -o "$1/received" "http://$2:8000/gift" & down=$!
wait $up; a=$?
wait $down; b=$?
[ $a = 0 ] && [ $b = 0 ] || { echo "curl up: $a, down: $b"; exit 1; }
END
START=$SECONDS
"$NARU" run --uplink tap:naru0 --addr 10.77.0.2/24 --counters -- bash "$DIR/both.sh" "$DIR" $KERNEL 2>"$DIR/counters" ||
	fail "seed $SEED: $(cat "$DIR/counters")"
same "seed $SEED: hash of the upload" "$(cat "$DIR/answer")" "$(sum_of "$DIR/sent")"
same "seed $SEED: hash of the download" "$(sum_of "$DIR/received")" "$(sum_of "$DIR/gift")"
kill -TERM $RELAY_PID; wait $RELAY_PID
echo "seed $SEED, $BYTES bytes each way, $((SECONDS - START)) s"
sed 1d "$DIR/relay"
for c in TcpRetransSegs TcpExtTCPFastRetrans TcpExtTCPTimeouts TcpExtTCPLossProbes TcpExtTCPSackRecovery TcpExtTCPSACKReorder \
	TcpExtTCPOFOQueue TcpExtTCPDSACKRecv TcpExtTCPDSACKUndo; do
	echo "naru $c $(naru_counter $c "$DIR/counters"), kernel $(at_far nstat -asz $c | awk -v n=$c '$1 == n { print $2 }')"
done
[ "$(naru_counter TcpExtTCPSackRecovery "$DIR/counters")" -gt 0 ] || fail 'nothing was recovered: did the line lose anything?'
echo 'lossy: OK'
