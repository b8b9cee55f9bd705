#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the HTTP example for speed, and compares it with nginx over loopback.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/perf
out=$root/build/http

die() {
	echo "perf/http/run.sh: $*" >&2
	exit 3
}

# The package is unpacked and not installed: to install it starts a service.
find_nginx() {
	nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
	[ -z "$nginx" ] || return 0
	nginx=$out/package/usr/sbin/nginx
	[ ! -x "$nginx" ] || return 0
	need_packages libcrypt1 libpcre2-8-0 libssl3 zlib1g || die "nginx needs these packages"
	rm -rf "$out/package"
	mkdir -p "$out/package"
	(cd "$out/package" && apt-get download -q nginx && dpkg-deb -x nginx_*.deb .) \
		>"$out/nginx.log" 2>&1 || { cat "$out/nginx.log" >&2; die "nginx cannot be had"; }
}

prepare() {
	# shellcheck source=/dev/null
	. "$root/tests/lib/need.sh"
	# shellcheck source=/dev/null
	. "$root/perf/common/build.sh"
	need_packages gcc make libc6-dev cmake pkg-config python3 wrk ||
		die "cannot run without these packages"
	uring=ON
	need_packages liburing-dev || uring=OFF
	mkdir -p "$out"
	find_nginx
	perf_build "$root" "$build" $uring
}

nginx=
case " $* " in
*" --help "* | *" -h "*) ;;
*) prepare ;;
esac
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$root/perf/http/http_compare.py" --server "$build/perf/soq-http" \
	--nginx "$nginx" --out "$out" "$@"
