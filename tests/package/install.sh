#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs a build below PREFIX, by way of another place: what cannot be moved breaks.
#   install.sh BUILD PREFIX
set -eu
build=$1 prefix=$2
rm -rf "$prefix" "$prefix.made"
cmake --install "$build" --prefix "$prefix.made" >/dev/null
mv "$prefix.made" "$prefix"
status=0
# Text that is installed names no place of the build.
grep -rnIF -e "$prefix.made" -e "$build" "$prefix" && status=1
for file in soq.pc soq-config.cmake soq-config-version.cmake soq-targets.cmake soq-static-targets.cmake \
	soq.h libsoq.a libsoq.so; do
	[ -n "$(find "$prefix" -name "$file")" ] || { echo "$file was not installed"; status=1; }
done
exit $status
