#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Names the C files that differ from .clang-format and by how many lines; `clang-format -i FILE`
# mends one. Without clang-format it says so and checks nothing.
set -u

if ! command -v clang-format >/dev/null 2>&1; then
	echo "format-check: clang-format is not installed, nothing checked"
	exit 0
fi
n_bad=0
for file in $(find src include tests -name '*.[ch]' | sort); do
	n_lines=$(clang-format "$file" | diff "$file" - | grep -c '^<')
	if [ "$n_lines" -gt 0 ]; then
		echo "$file: $n_lines lines"
		n_bad=$((n_bad + 1))
	fi
done
echo "format-check: $n_bad files differ"
[ "$n_bad" -eq 0 ]
