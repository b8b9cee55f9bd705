#!/bin/sh
# SPDX-License-Identifier: MIT
# quoted.sh README FILE: the first C block of README is FILE without its first two lines.
set -eu
quoted=$(awk '/^```c$/ { on = 1; next } /^```$/ && on { exit } on' "$1")
[ "$quoted" = "$(tail -n +3 "$2")" ] || {
	echo "$1 does not quote $2" >&2
	exit 1
}
