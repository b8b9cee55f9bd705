#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a program as root of namespaces of its own, without any right outside:
#   enter.sh [--mount] PROGRAM [ARGUMENT...]
# With --mount it may also mount what it likes, and nobody outside sees it. 77 where the machine
# forbids user namespaces, or has no links, rules or mounts for them: then nothing was tested, and
# ctest says so.
set -u
export PATH=$PATH:/usr/sbin:/sbin

own=(--user --map-root-user --net)
tools=(ip nft unshare)
needed='ip link add name near type veth peer name far && nft add table inet t'
if [ "$1" = --mount ]; then
	own+=(--mount)
	tools+=(dnsmasq)
	needed+=' && mount --bind /etc/hosts /etc/resolv.conf'
	shift
fi
for tool in "${tools[@]}"; do
	command -v "$tool" >/dev/null || { echo "$tool is missing (tests/run.sh installs it)"; exit 1; }
done
if ! why=$(unshare "${own[@]}" sh -c "$needed" 2>&1); then
	echo "SKIPPED: no user and network namespaces on this machine, or not all of them: $why"
	exit 77
fi
exec unshare "${own[@]}" -- "$@"
