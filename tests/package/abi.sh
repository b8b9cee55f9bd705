#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares the ABI of a tree with that of its last tag, both built here. New functions
# are fine. Anything else is not while the SONAME is the same; a new SONAME is a new
# interface, and the differences are only told. What abi.suppr names does not count.
#   abi.sh ROOT WORK [CC]     WORK keeps the tag's build for the next time
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tree.sh"
root=$1 work=$2 cc=${3:-cc}

# build SOURCE BUILD
build() {
	build_libraries "$1" "$2" soq "$cc" Debug
}

soname() {
	readelf -Wd "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p'
}

[ -e "$root/.git" ] || { echo "no tag yet: no history here, nothing to compare with"; exit 0; }
[ -n "$(git -C "$root" tag)" ] || { echo "no tag yet: nothing to compare with"; exit 0; }
tag=$(git -C "$root" describe --tags --abbrev=0)
commit=$(git -C "$root" rev-parse --short "$tag^{commit}")
old=$work/$commit new=$work/new
if [ ! -e "$old/done" ]; then
	rm -rf "$old"
	mkdir -p "$old/tree"
	git -C "$root" archive "$tag" | tar -x -C "$old/tree"
	build "$old/tree" "$old/build"
	: >"$old/done"
fi
rm -rf "$new"
build "$root" "$new"

status=0
report=$(abidiff --no-added-syms --suppressions "$here/abi.suppr" \
	--headers-dir1 "$old/tree/include" --headers-dir2 "$root/include" \
	"$old/build/libsoq.so" "$new/libsoq.so" 2>&1) || status=$?
[ -z "$report" ] || printf '%s\n' "$report"
# abidiff's bits: 1 and 2 are failures of its own, 4 a change, 8 one that surely breaks.
if [ $((status & 3)) -ne 0 ]; then
	echo "abidiff failed"
elif [ "$(soname "$old/build/libsoq.so")" != "$(soname "$new/libsoq.so")" ]; then
	echo "another interface than $tag: $(soname "$old/build/libsoq.so") is $(soname "$new/libsoq.so") now"
	status=0
elif [ $status -ne 0 ]; then
	echo "the ABI of $tag is broken and the SONAME is the same"
else
	echo "the ABI of $tag is kept"
fi
exit $status
