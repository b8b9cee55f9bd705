# SPDX-License-Identifier: MIT
# Sourced by perf/run.sh and perf/compare/run.sh, which have a die().

# perf_build ROOT BUILD URING: a release with the measuring programs. URING is ON or OFF.
perf_build() {
	local log=$2/build.log
	mkdir -p "$2"
	if ! {
		cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=Release -DSOQ_BUILD_TESTS=OFF \
			-DSOQ_BUILD_PERF=ON -DSOQ_URING="$3" &&
			cmake --build "$2" -j "$(nproc)"
	} >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "the build failed, see $log"
	fi
}
