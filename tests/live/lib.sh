# SPDX-License-Identifier: BSD-2-Clause
# What the live tests share; sourced as their first act, with their arguments.
#
# How it works: the test starts itself again in a network namespace of its own, where naru's TAP and the
# kernel's side of it (10.77.0.1) live.  Every process it starts in the background is remembered by its
# id and ended at the end, and so is its folder.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KERNEL=10.77.0.1
NAMESPACE=

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
need() { local p; for p in "$@"; do command -v "$p" >/dev/null || skip "there is no $p here"; done; }

# $@: how the test was called
enter_namespace() {
	[ -x "${NARU:-}" ] || skip 'NARU does not name the tool'
	[ -n "${NARU_LIVE_INSIDE:-}" ] && { ip link set lo up; return; }
	need unshare ip
	[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || skip '/dev/net/tun may not be opened here'
	local how
	for how in '-n' '-rn'; do
		unshare $how true 2>/dev/null || continue
		NARU_LIVE_INSIDE=1 exec unshare $how bash "$0" "$@"
	done
	skip 'a network namespace may not be made here'
}

PIDS=()
ended() { # ends what was started, once
	local p
	trap - EXIT
	for p in ${PIDS[@]+"${PIDS[@]}"}; do kill "$p" 2>/dev/null; done
	for p in ${PIDS[@]+"${PIDS[@]}"}; do wait "$p" 2>/dev/null; done
	[ -n "${DIR:-}" ] && rm -rf "$DIR"
}
trap 'rc=$?; ended; exit $rc' EXIT
trap 'exit 143' TERM INT HUP

enter_namespace "$@"
DIR=$(mktemp -d "${TMPDIR:-/tmp}/naru-live-XXXXXX") || exit 1

# background COMMAND...: remembered; $! is its id
background() { "$@" & PIDS+=($!); }

# wait_for WHAT SECONDS COMMAND...: until it succeeds
wait_for() {
	local what=$1 n=$(($2 * 20)); shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((n -= 1)) -gt 0 ] || fail "$what did not come"
		sleep 0.05
	done
}

is_listening() { ss -Hltn "sport = :$1" | grep -q .; }

# start_peer [ARGUMENT...]: tests/live/http_peer.py on port 8000, serving $DIR
start_peer() {
	need python3 ss
	background python3 "$HERE/http_peer.py" --port 8000 --root "$DIR" "$@"
	wait_for 'the server' 10 is_listening 8000
}

# make_file NAME BYTES
make_file() { head -c "$2" /dev/urandom > "$DIR/$1" || fail "no room for $2 bytes"; }
sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# kernel_counter NAME: in this namespace, since it was made
kernel_counter() { nstat -asz "$1" | awk -v n="$1" '$1 == n { print $2 }'; }
# naru_counter NAME FILE: from what `naru run --counters` printed; 0 when it did not move
naru_counter() { awk -v n="$1" '{ for (i = 1; i < NF; i++) if ($i == n) v = $(i + 1) } END { print v + 0 }' "$2"; }

# same WHAT GOT WANTED
same() { [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"; }
