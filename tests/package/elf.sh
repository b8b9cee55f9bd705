#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the loader makes of an optimised libsoq.so. A library that is wrong in every way
# is tried first: a check that cannot fail says nothing.
#   elf.sh LIBRARY SONAME CC
set -eu
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# judge LIBRARY SONAME: prints a line for each thing that is wrong.
judge() {
	local headers dynamic soname
	headers=$(readelf -Wl "$1")
	dynamic=$(readelf -Wd "$1")
	grep -q ' GNU_RELRO ' <<<"$headers" || echo "no RELRO"
	grep -qE 'GNU_STACK .* RW  ' <<<"$headers" || echo "the stack is executable"
	! grep -qE ' LOAD .* RWE ' <<<"$headers" || echo "a segment is writable and executable"
	grep -qE '\(FLAGS(_1)?\) .*\b(BIND_NOW|NOW)\b' <<<"$dynamic" || echo "no BIND_NOW: RELRO is not full"
	! grep -q TEXTREL <<<"$dynamic" || echo "TEXTREL: code is written at load time"
	! grep -qE '\((RPATH|RUNPATH)\)' <<<"$dynamic" || echo "a RPATH"
	soname=$(sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p' <<<"$dynamic")
	[ "$soname" = "$2" ] || echo "SONAME is '$soname', not $2"
	nm -D --defined-only "$1" | awk '$2 != "A" && $3 !~ /^soq_[a-z0-9_]+@@SOQ_[0-9.]+$/ { print "exports " $3 }'
}

cat >"$work/bad.c" <<'END'
extern int elsewhere(void);
int soqi_leaked(void) { return elsewhere(); }
END
"$3" -shared -nostdlib -fPIC -Wl,-z,lazy,-z,norelro,-z,execstack,-rpath,/tmp,--omagic "$work/bad.c" -o "$work/bad.so"
for want in "no RELRO" "the stack is exec" "a segment is" "no BIND_NOW" "a RPATH" "SONAME is ''" "exports soqi_leaked"; do
	judge "$work/bad.so" "$2" | grep -q "^$want" || { echo "not seen in a bad library: $want"; exit 1; }
done

wrong=$(judge "$1" "$2")
[ -z "$wrong" ] || { printf '%s\n' "$wrong"; exit 1; }
