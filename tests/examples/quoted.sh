#!/bin/sh
# SPDX-License-Identifier: MIT
# quoted.sh README WHOLE HEART...: the first C block of README is WHOLE without its first two
# lines, and of each HEART another block is a part, word for word.
set -eu

# block N: the Nth C block.
block() {
	awk -v n="$1" '/^```c$/ { on = ++count == n; next } /^```$/ { on = 0 } on' "$readme"
}

# quotes FILE: one of the other blocks is in it.
quotes() {
	n=2
	while text=$(block "$n") && [ -n "$text" ]; do
		case $(cat "$1") in
		*"
$text
"*) return 0 ;;
		esac
		n=$((n + 1))
	done
	return 1
}

readme=$1 whole=$2
shift 2
[ "$(block 1)" = "$(tail -n +3 "$whole")" ] || {
	echo "$readme does not quote $whole" >&2
	exit 1
}
for heart; do
	quotes "$heart" || {
		echo "$readme does not quote $heart" >&2
		exit 1
	}
done
