#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two trees in two places, built in two places, give the same libraries byte for byte.
#   reproducible.sh ROOT CC
set -eu
. "$(dirname "$0")/tree.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build SOURCE BUILD: a tree of its own, and the libraries of it.
build() {
	copy_tree "$root" "$1"
	build_libraries "$1" "$2" all "$cc"
}

root=$1 cc=$2
build "$work/here" "$work/here/build"
# Another length, another depth, outside of the tree, another time and locale.
TZ=Asia/Tokyo LC_ALL=C build "$work/and/somewhere/else" "$work/built"
for library in libsoq.so libsoq.a; do
	cmp "$work/here/build/$library" "$work/built/$library" || status=1
	! grep -qaF "$work" "$work/built/$library" || { echo "$library names the place it was built in"; status=1; }
done
exit "${status:-0}"
