# SPDX-License-Identifier: MIT
# Sourced by tests/run.sh and perf/run.sh: what a run lacks, installed or named.

# need_missing pkg...: prints those that are not installed.
need_missing() {
	local package
	for package in "$@"; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
			printf '%s\n' "$package"
	done
}

# need_root cmd...: runs it as root, without asking anything.
need_root() {
	if [ "$(id -u)" -eq 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
	elif command -v sudo >/dev/null; then
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
	else
		echo "neither root nor sudo" >&2
		return 1
	fi
}

# need_packages pkg...: installs what is missing (Debian and its like). Where it
# cannot, names what is missing and returns 1.
need_packages() {
	local missing install
	if ! command -v dpkg-query >/dev/null; then
		echo "This is no Debian; these packages, by Debian's names, are needed: $*" >&2
		return 1
	fi
	mapfile -t missing < <(need_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	echo "installing: ${missing[*]}"
	install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
	need_root "${install[@]}" >/dev/null 2>&1 ||
		{ need_root apt-get update -q >/dev/null && need_root "${install[@]}" >/dev/null; } || true
	mapfile -t missing < <(need_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	echo "These packages are missing and could not be installed: ${missing[*]}" >&2
	return 1
}
