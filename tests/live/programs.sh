#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Unmodified programs on naru, clients and servers, each checked by what it brings back.  Absent ones are named.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3 sha256sum
NARU_ADDR=10.77.0.2
SECONDS_EACH=2

make_file data 4000000
WANT=$(sum_of "$DIR/data")
start_peer
URL=http://$KERNEL:8000
ABSENT=

has() { command -v "$1" >/dev/null || { ABSENT+=" $1"; return 1; }; }
naru() { timeout 60 "$NARU" run -- "$@"; }
passed() { echo "$1: OK"; }

# ---- clients ----

same 'curl up' "$(naru curl -sS -f -T "$DIR/data" "$URL/up")" "$WANT"
naru curl -sS -f -o "$DIR/got" "$URL/data" || fail 'curl down'
same 'curl down' "$(sum_of "$DIR/got")" "$WANT"
same 'curl by IPv6' "$(naru curl -sS -f -g -o /dev/null -w '%{http_code} %{size_download}' "http://[fd77::1]:8000/data")" '200 4000000'
same 'curl to a closed port' "$(naru curl -s "http://$KERNEL:1/"; echo $?)" 7
passed curl

if has wget; then
	naru wget -q -O "$DIR/got" "$URL/data" || fail 'wget'
	same 'wget' "$(sum_of "$DIR/got")" "$WANT"
	passed wget
fi

cat > "$DIR/fetch.py" <<'END'
import hashlib, sys, urllib.request
url, path = sys.argv[1:]
got = urllib.request.urlopen(url + '/data', timeout=20).read()
data = open(path, 'rb').read()
put = urllib.request.Request(url + '/up', data=data, method='PUT')
print(hashlib.sha256(got).hexdigest(), urllib.request.urlopen(put, timeout=20).read().decode().strip())
END
same 'urllib' "$(naru python3 "$DIR/fetch.py" "$URL" "$DIR/data")" "$WANT $WANT"
passed urllib

# ---- servers: naru's program waits in the background, the kernel's calls ----

# naru_server PORT COMMAND...: in SERVER; the port is asked for until somebody answers
naru_server() {
	local port=$1; shift
	"$NARU" run -- "$@" > "$DIR/server" 2>&1 &
	SERVER=$!
	PIDS+=($SERVER)
	wait_for "a server on naru, $*" 10 bash -c "exec 3<>/dev/tcp/$NARU_ADDR/$port"
}
end_server() { kill $SERVER; wait $SERVER 2>/dev/null; }

naru_server 8080 python3 -m http.server 8080 --directory "$DIR"
curl -sS -f -o "$DIR/got" "http://$NARU_ADDR:8080/data" || fail 'http.server on naru'
same 'http.server on naru' "$(sum_of "$DIR/got")" "$WANT"
for _ in 1 2 3 4; do curl -sS -f -o /dev/null -w '%{size_download}\n' "http://$NARU_ADDR:8080/data" & done > "$DIR/sizes"
wait_for 'four at once' 10 bash -c "[ \$(grep -c 4000000 '$DIR/sizes') = 4 ]"
end_server
passed http.server

if has nc; then
	background sh -c "nc -l -p 8100 > '$DIR/got' || nc -l 8100 > '$DIR/got'"
	wait_for 'nc' 5 is_listening 8100
	naru nc -q 1 $KERNEL 8100 < "$DIR/data" || naru nc -N $KERNEL 8100 < "$DIR/data" || fail 'nc'
	wait $! 2>/dev/null
	same 'nc to the kernel' "$(sum_of "$DIR/got")" "$WANT"
	passed nc
fi

# ---- iperf3 ----

# check_iperf TITLE ARGUMENT...: naru's client; every stream of it must have carried something
check_iperf() {
	local title="iperf3 $1"; shift
	naru iperf3 -J -c $KERNEL -t $SECONDS_EACH "$@" > "$DIR/json" 2>&1 || fail "$title: $(tail -n 5 "$DIR/json")"
	python3 - "$title" "$DIR/json" <<'END' || exit 1
import json, sys
title, path = sys.argv[1:]
report = json.load(open(path))
if 'error' in report:
    sys.exit(f'FAILED: {title}: {report["error"]}')
streams = [s.get('sender', s.get('udp')) for s in report['end']['streams']]
if not streams or min(s['bytes'] for s in streams) == 0:
    sys.exit(f'FAILED: {title}: a stream carried nothing')
end = report['end'].get('sum_received') or report['end']['sum']
print(f'{title}: OK, {len(streams)} streams, {end["bits_per_second"] / 1e9:.2f} Gbit/s')
END
}

if has iperf3; then
	background iperf3 -s > "$DIR/iperf-server" 2>&1
	wait_for 'iperf3' 5 is_listening 5201
	check_iperf one
	check_iperf -P8 -P 8
	check_iperf -R -R
	check_iperf '-P8 -R' -P 8 -R
	check_iperf --bidir --bidir
	check_iperf udp -u -b 100M
	"$NARU" run -- iperf3 -s --forceflush > "$DIR/server" 2>&1 &
	SERVER=$!
	PIDS+=($SERVER)
	wait_for 'iperf3 on naru' 10 grep -q listening "$DIR/server"
	for how in '' '-R' '-P 8'; do
		iperf3 -c $NARU_ADDR -t $SECONDS_EACH $how > "$DIR/out" 2>&1 || fail "iperf3 server on naru, $how: $(tail -n 3 "$DIR/out")"
		echo "iperf3 server on naru $how: OK,$(grep receiver "$DIR/out" | tail -n 1 | cut -d ']' -f 2)"
	done
	end_server
fi
echo "programs: OK${ABSENT:+, without$ABSENT}"
