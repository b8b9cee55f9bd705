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
	# shellcheck source=/dev/null
	. "$root/perf/common/build.sh"
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

case " $* " in
*" --help "* | *" -h "*) ;;
*) prepare && perf_build "$root" "$build" $uring ;;
esac
# Debian's own where it is: only that one finds Debian's matplotlib.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$root/perf/compare/compare.py" --bin "$build/perf" --out "$root/build/compare" "$@"
