#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a program with a planted bug: it must be reported, with these words.
#   planted.sh WORDS COMMAND...
words=$1
shift
said=$("$@" 2>&1)
status=$?
printf '%s\n' "$said"
[ "$status" -ne 0 ] || { echo "nothing was reported"; exit 1; }
printf '%s\n' "$said" | grep -qE "$words" || { echo "not the report that was expected: $words"; exit 1; }
