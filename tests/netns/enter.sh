#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a program as root of namespaces of its own, without any right outside:
#   enter.sh PROGRAM [ARGUMENT...]
# 77 where the machine forbids user namespaces, or has no links or rules for them: then nothing
# was tested, and ctest says so.
set -u
export PATH=$PATH:/usr/sbin:/sbin

for tool in ip nft unshare; do
	command -v "$tool" >/dev/null || { echo "$tool is missing (tests/run.sh installs it)"; exit 1; }
done
needed='ip link add name near type veth peer name far && nft add table inet t'
if ! why=$(unshare --user --map-root-user --net sh -c "$needed" 2>&1); then
	echo "SKIPPED: no user and network namespaces on this machine, or not all of them: $why"
	exit 77
fi
exec unshare --user --map-root-user --net -- "$@"
