#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# `naru demo` ends well, and a dissector that is not ours finds nothing wrong with what it captured.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$NARU" demo > "$DIR/out" 2>&1 || fail "naru demo: $(tail -n 20 "$DIR/out")"
same 'the last line' "$(tail -n 1 "$DIR/out")" 'demo: OK'
CAPTURE=$(sed -n 's/^The capture[^:]*: //p' "$DIR/out")
[ -s "$CAPTURE" ] || fail 'there is no capture'
mv "$CAPTURE" "$DIR/capture"
rmdir "$(dirname "$CAPTURE")" 2>/dev/null
CAPTURE=$DIR/capture

command -v tshark >/dev/null || { echo 'demo: OK, its capture was not looked at: there is no tshark here'; exit 0; }
# Segments that were to be cut by the device carry only the pseudo header's sum: dissectors know them by their size.
BAD='_ws.malformed || _ws.expert.severity == "Error" || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad"'
tshark -n -r "$CAPTURE" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
	-Y "$BAD" -T fields -e frame.number -e _ws.expert.message > "$DIR/bad" 2> "$DIR/errors" || fail "tshark: $(cat "$DIR/errors")"
NUM=$(tshark -n -r "$CAPTURE" -Y tcp 2>/dev/null | wc -l)
[ "$NUM" -gt 1000 ] || fail "the capture holds only $NUM segments"
[ -s "$DIR/bad" ] && fail "$(wc -l < "$DIR/bad") bad frames, first: $(head -n 5 "$DIR/bad")"
echo "demo: OK, $NUM segments without a complaint"
