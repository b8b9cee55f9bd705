#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the conformance suite on Debian 12's own kernel, Linux 6.1: the oldest that has
# the io_uring floor. Nothing is installed and nothing needs to be root: the kernel is
# unpacked from its package, the machine is emulated.
#   run.sh [BUILD]   where to work, default build/qemu
set -eu
cd "$(dirname "$0")/../.."
. tests/lib/need.sh
build=${1:-build/qemu}
tiers=${SOQ_TEST_TIERS:-uring-full uring-floor uring-tiny epoll detached uring-pool2 epoll-pool2}
# What runs on a pool of two bufs: the tests of pools.
pools=$(cd tests/conformance && echo test_pool*.c | sed 's/test_\([a-z0-9_]*\)\.c/\1/g')
limit_seconds=${SOQ_QEMU_SECONDS:-900}
mkdir -p "$build"
build=$(cd "$build" && pwd)

# The package that linux-image-cloud-amd64 stands for, of series 6.1.
kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-6\.1\.0-[0-9]*-cloud-amd64\)$/\1/p'
}

fetch_kernel() {
	local package
	package=$(kernel_package)
	[ -n "$package" ] && (cd "$build" && apt-get download -q "$package")
}

unpack_kernel() {
	[ ! -e "$build/vmlinuz" ] || return 0
	# A stale package list names a version that is gone.
	fetch_kernel >/dev/null 2>&1 || { need_root apt-get update -q >/dev/null && fetch_kernel >/dev/null; } ||
		{ echo "cannot get a package linux-image-6.1.0-*-cloud-amd64" >&2; return 1; }
	dpkg-deb -x "$build"/linux-image-*.deb "$build/kernel"
	cp "$build"/kernel/boot/vmlinuz-* "$build/vmlinuz"
	rm -r "$build/kernel" "$build"/linux-image-*.deb
}

# One program without shared libraries: nothing else is in there with it.
build_suite() {
	local liburing
	liburing=$(gcc -print-file-name=liburing.a)
	cmake -S . -B "$build/static" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 -DSOQ_BUILD_TESTS=ON -DSOQ_WERROR=ON \
		-Dpkgcfg_lib_URING_uring="$liburing" >"$build/configure.log" || { cat "$build/configure.log"; return 1; }
	cmake --build "$build/static" --target conformance_all -j"$(nproc)" >"$build/make.log" ||
		{ cat "$build/make.log"; return 1; }
	find "$build/static" -name conformance_all -type f
}

# pack ROOT SUITE: what the machine starts with; its first program runs the tiers.
pack() {
	local root=$1
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$2" "$root/suite"
	cat >"$root/init" <<-END
		#!/bin/busybox sh
		/bin/busybox --install /bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		ip link set lo up
		ulimit -n 4096
		echo
		echo "soq-kernel \$(uname -r)"
		export SOQ_TEST_RESULTS=/tmp/results SOQ_TEST_SLOW=${SOQ_TEST_SLOW:-20}
		export SOQ_TEST_BYTES=${SOQ_TEST_BYTES:-} SOQ_TEST_STEPS=${SOQ_TEST_STEPS:-}
		export SOQ_TEST_CYCLES=${SOQ_TEST_CYCLES:-2000}
		for tier in $tiers; do
			echo "soq-tier \$tier"
			areas=
			case \$tier in *-pool2) areas="$pools" ;; esac
			SOQ_TEST_TIER=\$tier /suite \$areas 2>&1
			echo "soq-exit \$tier \$?"
		done
		sed 's/^/soq-result /' /tmp/results
		echo soq-end
		poweroff -f
	END
	chmod +x "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1
}

boot() {
	timeout "$limit_seconds" qemu-system-x86_64 -M q35 -accel tcg -cpu Haswell-noTSX -smp 2 -m 512 \
		-kernel "$build/vmlinuz" -initrd "$build/initrd.gz" -nographic -no-reboot \
		-append "console=ttyS0 quiet panic=-1 mitigations=off no5lvl" </dev/null 2>"$build/qemu.log" |
		tr -d '\r' | tee "$build/serial.log" | grep -aE '^soq-(kernel|tier|exit) |^\[ *FAILED|: failed$|^not so|^hangs|Kernel panic|BUG:|WARNING:' || true
}

# The serial line must say that each tier ended well, that the suite ran tests, and
# that the machine came to its end.
judge() {
	local tier status=0
	for tier in $tiers; do
		grep -aqx "soq-exit $tier 0" "$build/serial.log" ||
			{ echo "tier $tier did not pass on Linux 6.1"; status=1; }
	done
	grep -aq '^soq-kernel 6\.1\.' "$build/serial.log" || { echo "not a 6.1 kernel"; status=1; }
	grep -aqx soq-end "$build/serial.log" || { echo "the machine did not reach its end"; status=1; }
	! grep -aqE 'Kernel panic|BUG:|Oops|WARNING: CPU' "$build/serial.log" || { echo "the kernel complained"; status=1; }
	echo "$(grep -ac '\[ *OK \]' "$build/serial.log") tests passed, $(grep -ac '\[ *FAILED *\]' "$build/serial.log") failed"
	[ "$status" -eq 0 ] || echo "see $build/serial.log"
	return $status
}

unpack_kernel
suite=$(build_suite)
pack "$build/root" "$suite" >"$build/initrd.gz"
boot
sed -n 's/^soq-result //p' "$build/serial.log" >"$build/results.tsv"
judge
