#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs every fuzz target of a libFuzzer build for some seconds, one after another.
#
#   fuzz.sh BUILDDIR SECONDS
#
# Starts from tests/fuzz/corpus/<target>; new inputs stay in BUILDDIR/corpus/<target>, inputs that
# crash in BUILDDIR/crashes. Exit status 1 if any target found something.
set -u

builddir=${1:?usage: fuzz.sh BUILDDIR SECONDS}
seconds=${2:?usage: fuzz.sh BUILDDIR SECONDS}
status=0
n_run=0

mkdir -p "$builddir/crashes"
for target in "$builddir"/tests/fuzz/fuzz_*; do
	if [ ! -f "$target" ] || [ ! -x "$target" ]; then
		continue
	fi
	name=${target##*/}
	seeds=tests/fuzz/corpus/$name
	mkdir -p "$builddir/corpus/$name"
	[ -d "$seeds" ] || seeds=
	echo "$name: $seconds s"
	n_run=$((n_run + 1))
	# shellcheck disable=SC2086  # no seeds is no argument
	if ! "$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$builddir/crashes/$name-" "$builddir/corpus/$name" $seeds \
		>"$builddir/$name.log" 2>&1; then
		tail -n 40 "$builddir/$name.log"
		echo "$name: FAILED, input in $builddir/crashes"
		status=1
	else
		grep -E 'stat::number_of_executed_units|DONE' "$builddir/$name.log"
	fi
done
if [ "$n_run" -eq 0 ]; then
	echo "no fuzz target was built in $builddir" >&2
	exit 1
fi
exit $status
