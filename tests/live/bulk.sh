#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Bulk data between curl over naru and the kernel's TCP, up and down: equal hashes, nothing sent again.
#     bulk.sh [BYTES]    or NARU_LIVE_BYTES; 128 MiB without either
#
# A peer that gets no processor for some milliseconds looks like a lost tail, and is probed.  So everything is
# carried twice: without loss probes on both sides, when nothing may be sent again, and with them, when only
# they may be.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl nstat sha256sum sysctl
BYTES=${1:-${NARU_LIVE_BYTES:-134217728}}

make_file sent "$BYTES"
WANT=$(sum_of "$DIR/sent")
start_peer


COUNTERS='TcpRetransSegs TcpExtTCPLossProbes TcpExtTCPTimeouts TcpExtTCPFastRetrans'
declare -A BEFORE
remember() { local c; for c in $COUNTERS; do BEFORE[$c]=$(kernel_counter $c); done; }

# check_counters TITLE PROBES: prints both sides' numbers, compares them with what is allowed
check_counters() {
	local who c v
	declare -A n
	for who in naru kernel; do
		printf '%s: %-6s' "$1" $who
		for c in $COUNTERS; do
			[ $who = naru ] && v=$(naru_counter $c "$DIR/counters") || v=$(($(kernel_counter $c) - ${BEFORE[$c]}))
			n[$c]=$v
			printf ' %s %s' $c "$v"
		done
		echo
		[ $((n[TcpExtTCPTimeouts] + n[TcpExtTCPFastRetrans])) = 0 ] || fail "$1: $who took segments for lost"
		[ ${n[TcpRetransSegs]} -le $(($2 * n[TcpExtTCPLossProbes])) ] || fail "$1: $who sent segments again"
	done
}

# naru_curl PROBES ARGUMENT...: standard output is curl's
naru_curl() {
	local probes=$1; shift
	"$NARU" run --counters --sysctl net.ipv4.tcp_early_retrans=$((probes * 3)) -- curl -sS -f "$@" 2>"$DIR/counters" ||
		fail "curl: $(cat "$DIR/counters")"
}

for probes in 0 1; do
	sysctl -qw net.ipv4.tcp_early_retrans=$((probes * 3))
	how=$([ $probes = 0 ] && echo 'no probes' || echo 'probes')
	remember
	same 'hash of the upload' "$(naru_curl $probes -T "$DIR/sent" "http://$KERNEL:8000/up")" "$WANT"
	check_counters "up $BYTES bytes, $how" $probes
	remember
	same 'hash of the download' "$(naru_curl $probes "http://$KERNEL:8000/sent" | sha256sum | cut -d ' ' -f 1)" "$WANT"
	check_counters "down $BYTES bytes, $how" $probes
done
echo 'bulk: OK'
