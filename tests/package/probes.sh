#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The probes of an optimised libsoq.so are those its header promises, all of them.
#   probes.sh LIBRARY HEADER
set -eu
export LC_ALL=C
wanted=$(grep -oE '\b(connect|accept|send|receive|close|cancel)_(start|more|stop)\b' "$2" | sort -u)
there=$(readelf -n "$1" | sed -n '/Provider: soq$/{n;s/^ *Name: //p}' | sort -u)
[ -n "$wanted" ] || { echo "$2 names no probe"; exit 1; }
diff <(echo "$wanted") <(echo "$there")
