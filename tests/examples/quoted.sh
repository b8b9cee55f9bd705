#!/bin/sh
# SPDX-License-Identifier: MIT
# quoted.sh README WHOLE HEART: the first C block of README is WHOLE without its first two
# lines, the second one is a part of HEART, word for word.
set -eu

# block N: the Nth C block.
block() {
	awk -v n="$1" '/^```c$/ { on = ++count == n; next } /^```$/ { on = 0 } on' "$readme"
}

readme=$1
[ "$(block 1)" = "$(tail -n +3 "$2")" ] || {
	echo "$readme does not quote $2" >&2
	exit 1
}
heart=$(block 2)
case $(cat "$3") in
*"
$heart
"*) [ -n "$heart" ] ;;
*)
	echo "$readme does not quote $3" >&2
	exit 1
	;;
esac
