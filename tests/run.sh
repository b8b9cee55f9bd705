#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, tests, and says what passed.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/lib/need.sh

quick_stages=(dev)
full_stages=(dev clang epoll-only package asan tsan valgrind fuzz qemu mutants format tidy perf)
build_packages=(cmake curl dnsmasq-base g++ gcc iproute2 libc6-dev groff-base libcmocka-dev liburing-dev make
	man-db nftables pkg-config procps python3 python3-docutils socat strace systemtap-sdt-dev util-linux)
full_packages=(abigail-tools binutils busybox-static clang clang-format clang-tidy cpio git libclang-rt-14-dev
	qemu-system-x86 valgrind)
jobs=$(nproc)
dev_bytes=67108864 # what the long stream test moves; --full: 1 GiB
passed=0
failed=0
skipped=0
report=()

usage() {
	cat <<'END'
tests/run.sh                builds soq and runs its tests (some minutes)
tests/run.sh --full         adds the other compiler, the build without liburing, the package (ABI,
                            the same bytes from every build), the sanitizers, valgrind, the fuzzer,
                            Linux 6.1 in an emulator, the mutants, the format, static analysis and a short
                            measurement (up to half an hour)
tests/run.sh --only STAGE   one of: dev clang epoll-only package asan tsan valgrind fuzz qemu
                            mutants format tidy perf
tests/run.sh --help         this text

What is missing is installed by apt-get, with sudo when not root; where that cannot be done the
missing packages are named. Everything is built below build/. The last line is `N passed, N failed`
and the exit status is 0 only if nothing failed.

SOQ_TEST_BYTES, SOQ_TEST_STEPS and SOQ_TEST_CYCLES scale the long tests (tests/README.md).
END
}

# take_counts LOG: adds what ctest said. A test that was skipped has failed, but for those that
# need namespaces or a family of sockets, on a machine that forbids or lacks them.
take_counts() {
	local good bad aside
	good=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*[. ]Passed ' "$1")
	aside=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* (netns|interop)\..*\*\*\*Skipped ' "$1")
	bad=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*' "$1")
	bad=$((bad - aside))
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + aside))
	[ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
}

build() {
	cmake --preset "$1" >"build/$1.log" 2>&1 && cmake --build --preset "$1" -j "$jobs" >>"build/$1.log" 2>&1 && return
	cat "build/$1.log"
	return 1
}

# tests PRESET [ctest arguments]; WRAP is a command that runs ctest.
tests() {
	local log=build/$1-test.log
	${WRAP:-} ctest --preset "$1" -j "$jobs" "${@:2}" 2>&1 </dev/null | tee "$log"
	take_counts "$log"
}

# Ends with the table of the contract's lines and what pinned each.
stage_dev() {
	build dev || return
	: >build/results.tsv
	SOQ_TEST_RESULTS=$PWD/build/results.tsv SOQ_TEST_BYTES=${SOQ_TEST_BYTES:-$dev_bytes} tests dev
	local status=$?
	python3 tests/contract/table.py build/results.tsv && return $status
}

stage_epoll-only() { build epoll-only && tests epoll-only; }

# Ends with what was compared with which tag, or that there is none.
stage_package() {
	build release || return
	tests release -C Package -L package
	local status=$?
	grep -E '^(no tag yet|the ABI of|another interface)' build/release/Testing/Temporary/LastTest.log
	return $status
}

# The long versions: a gigabyte where it is fast, a million steps where it is watched. What clang
# makes of the library shows without networks and other programs, too.
stage_clang() { build clang && SOQ_TEST_BYTES=${SOQ_TEST_BYTES:-1073741824} tests clang -E '^(netns|interop)\.'; }
stage_asan() { build asan && SOQ_TEST_SLOW=4 SOQ_TEST_STEPS=${SOQ_TEST_STEPS:-1000000} \
	SOQ_TEST_CYCLES=${SOQ_TEST_CYCLES:-20000} tests asan; }

# ThreadSanitizer has its shadow where a kernel may put the program: no randomness then. On
# uring-floor threads meet in the same code as on uring-full: here and under valgrind it is left out.
stage_tsan() { build tsan && SOQ_TEST_SLOW=8 SOQ_TEST_CYCLES=${SOQ_TEST_CYCLES:-20000} \
	WRAP="setarch $(uname -m) -R" tests tsan -E '\.uring-floor$'; }

# Three things are left out, because valgrind itself stands in their way; every other stage runs
# them. It keeps its one lock while a thread sleeps in io_uring_enter, so what needs another
# thread meanwhile never ends (threads, exchange, file, transfer). And it plays RLIMIT_NOFILE
# itself: the kernel accepts, valgrind closes what it got and says EMFILE, or does not notice on a
# ring (resources). And in a child of fork() it dies of a ring, and calls what the parent still has
# lost (service, credentials, harden). Groups have threads by the dozen, and so have names by their
# lookups, which it runs one at a time: they are left out on epoll too, for the time it takes.
stage_valgrind() {
	build valgrind && SOQ_TEST_VALGRIND=1 SOQ_TEST_SLOW=20 SOQ_TEST_BYTES=${SOQ_TEST_BYTES:-16777216} \
		SOQ_TEST_STEPS=${SOQ_TEST_STEPS:-20000} SOQ_TEST_CYCLES=${SOQ_TEST_CYCLES:-1000} \
		tests valgrind -L "conformance|valgrind" -E "^conf\.((lazy_)?threads\.uring-|exchange\.uring-|file\.uring-|transfer\.uring-|resources\.|service\.|credentials\.|harden\.|group(_end|_listen|_move|_policy)?\.|(connect_|policy_)?names?\.|lookup\.)|\.uring-floor$"
}

stage_fuzz() { build fuzz && tests fuzz; }

stage_qemu() {
	tests/qemu/run.sh build/qemu </dev/null && python3 tests/contract/table.py build/qemu/results.tsv
}

# A third of them, by turns of the commits; without a history all. tests/mutants/run.sh has all.
stage_mutants() {
	local commits
	commits=$(git rev-list --count HEAD 2>/dev/null) || commits=
	tests/mutants/run.sh ${commits:+--part "$((commits % 3))/3"} </dev/null
}
stage_perf() { perf/run.sh --quick </dev/null; }

stage_format() {
	find include src fallback tests perf -name '*.[ch]' -print0 |
		xargs -0 clang-format --dry-run --Werror
}

# Every file that is compiled for the tests and the measuring programs.
stage_tidy() {
	cmake --preset dev -B build/tidy -DSOQ_BUILD_PERF=ON >build/tidy.log || { cat build/tidy.log; return 1; }
	sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' build/tidy/compile_commands.json | sort -u |
		xargs -P "$jobs" -n 4 clang-tidy -p build/tidy --quiet \
			--extra-arg=-Wno-unknown-warning-option 2>build/tidy.log
}

# run STAGE: one that counts no tests of its own counts as one.
run() {
	local start=$SECONDS verdict=ok passed_before=$passed failed_before=$failed
	printf '\n=== %s\n' "$1"
	if "stage_$1"; then
		[ "$passed" -gt "$passed_before" ] || passed=$((passed + 1))
	else
		verdict=FAILED
		[ "$failed" -gt "$failed_before" ] || failed=$((failed + 1))
	fi
	report+=("$(printf '%-12s %-6s %5d s' "$1" "$verdict" $((SECONDS - start)))")
}

main() {
	local stages packages=("${build_packages[@]}")
	case ${1:-} in
	--help | -h) usage; exit 0 ;;
	'') stages=("${quick_stages[@]}") ;;
	--full) dev_bytes=1073741824 stages=("${full_stages[@]}") packages+=("${full_packages[@]}") ;;
	--only)
		case " ${full_stages[*]} " in
		*" ${2:-?} "*) stages=("$2") ;;
		*) usage >&2; exit 2 ;;
		esac
		[ "$2" = dev ] || packages+=("${full_packages[@]}")
		;;
	*) usage >&2; exit 2 ;;
	esac
	need_packages "${packages[@]}" || exit 1
	mkdir -p build
	for stage in "${stages[@]}"; do
		run "$stage"
	done
	printf '\n'
	printf '%s\n' "${report[@]}"
	[ "$skipped" -eq 0 ] || printf '%d skipped: this machine forbids namespaces, or its kernel lacks a family (ctest says which)\n' "$skipped"
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ]
}

main "$@"
