#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds soq and its peers for speed, and compares them over loopback.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/perf

die() {
	echo "perf/compare/run.sh: $*" >&2
	exit 3
}

prepare() {
	# shellcheck source=/dev/null
	. "$root/tests/lib/need.sh"
	need_packages gcc make libc6-dev cmake pkg-config python3 || die "cannot build without these packages"
	uring=ON
	need_packages liburing-dev || uring=OFF
	# Each is missed by its own rows alone.
	need_packages libuv1-dev || true
	need_packages libevent-dev || true
	need_packages g++ libasio-dev || true
	need_packages g++ libbenchmark-dev || true
	need_packages strace || true
	need_packages python3-matplotlib || true
}

build() {
	local log=$build/build.log
	mkdir -p "$build"
	if ! {
		cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DSOQ_BUILD_TESTS=OFF \
			-DSOQ_BUILD_PERF=ON -DSOQ_URING=$uring &&
			cmake --build "$build" -j "$(nproc)"
	} >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "the build failed, see $log"
	fi
}

case " $* " in
*" --help "* | *" -h "*) ;;
*) prepare && build ;;
esac
# Debian's own where it is: only that one finds Debian's matplotlib.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$root/perf/compare/compare.py" --bin "$build/perf" --out "$root/build/compare" "$@"
