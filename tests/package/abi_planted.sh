#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Plants changes of the ABI into a copy of the tree that has a tag: abi.sh has to tell
# those that break programs from those that do not.
#   abi_planted.sh ROOT CC
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tree.sh"
root=$1 cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/copy
failed=0

git_here() {
	git -C "$copy" -c user.name=test -c user.email=test -c commit.gpgsign=false -c tag.gpgsign=false "$@"
}

# expect WHAT kept|broken TEXT: abi.sh says so, and TEXT; the copy is as tagged again.
expect() {
	local verdict=kept
	"$here/abi.sh" "$copy" "$work/builds" "$cc" >"$work/log" || verdict=broken
	if [ "$verdict" != "$2" ] || ! grep -q "$3" "$work/log"; then
		echo "$1: $verdict, not $2 with \"$3\":"
		cat "$work/log"
		failed=1
	fi
	git_here checkout -q . && git_here clean -qfdx
}

copy_tree "$root" "$copy"
git_here init -q
git_here add -A
git_here commit -q -m planted
expect "before the first tag" kept "no tag yet"
git_here tag -m planted v0

expect "nothing" kept "is kept"

sed -i '/soq_sendv;/d' "$copy/src/soq.map"
expect "a function less" broken "soq_sendv"

sed -i 's/^\tint64_t result;$/&\n\tint64_t planted;/' "$copy/include/soq/op.h"
expect "a longer event" broken "planted"

sed -i 's/soq_loop_stop(struct soq_loop \*loop)/soq_loop_stop(struct soq_loop *loop, int planted)/' \
	"$copy"/include/soq/loop.h "$copy"/src/*.c
expect "another parameter" broken "soq_loop_stop"

sed -i 's/^SOQ_API uint32_t soq_version(void);$/&\nSOQ_API int soq_planted(void);/' "$copy/include/soq/base.h"
sed -i 's/^\tsoq_version;$/&\n\tsoq_planted;/' "$copy/src/soq.map"
printf '\nint soq_planted(void)\n{\n\treturn 0;\n}\n' >>"$copy/src/base.c"
expect "a function more" kept "is kept"

sed -i 's/^\tint stop_fd;$/&\n\tint planted;/; s/^struct soq_loop {$/&\n\tint planted0;/' "$copy/src/loop.h"
expect "a longer loop, which is opaque" kept "is kept"

sed -i '/soq_sendv;/d' "$copy/src/soq.map"
sed -i 's/^#define SOQ_VERSION_MAJOR .*$/#define SOQ_VERSION_MAJOR 99/' "$copy/include/soq/base.h"
expect "a function less and another SONAME" kept "another interface"
exit $failed
