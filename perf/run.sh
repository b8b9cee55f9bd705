#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds soq for speed, measures it over loopback against raw epoll and raw liburing
# servers, and prints one table. One of the README's two commands.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/perf
bin=$build/perf
quick=0
duration=0.4
rounds=
placement=same
micro=0

usage() {
	cat <<'TEXT'
perf/run.sh [--quick] [-d SECONDS] [--rounds N] [--placement same|split|none]
perf/run.sh --micro [--quick] [--rounds N]

Installs what is missing (Debian, apt-get), builds a release in build/perf, then lets
`soqperf rr` talk over loopback to servers in turn: soq on io_uring and on epoll, from a
pool and plain; raw epoll (level- and edge-triggered); raw liburing, with single receives
and with a ring of buffers; at 1 and 64 connections, 64 bytes. Prints one table of medians,
then streams of 256 KiB requests, the one-thread harness, the round trip of one connection,
and what UDP datagrams cost. Under two minutes after the build. Exact counters (enters,
requests, completions, allocations) are checked, times are not.

  --quick        2 rounds of 0.1 s: does it work, not how fast is it
  -d SECONDS     measured time of each run (0.4)
  --rounds N     rounds over all servers (5)
  --placement P  both ends on one CPU (same: the steadiest CPU numbers), on two (split),
                 or wherever they are put (none)
  --micro        nothing of the above but what each piece of the library costs, beside the
                 same without it: medians of 15 rounds (--rounds) in random order, about a
                 minute; installs libbenchmark-dev and g++ too (perf/micro/README.md)

Exits 1 if a byte was wrong or a request lost, 3 if it could not run.
TEXT
}

die() {
	echo "perf/run.sh: $*" >&2
	exit 3
}

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h) usage; exit 0 ;;
		--quick) quick=1; duration=0.1 rounds=${rounds:-2} ;;
		--micro) micro=1 ;;
		-d) duration=${2:?-d needs seconds}; shift ;;
		--rounds) rounds=${2:?--rounds needs a number}; shift ;;
		--placement) placement=${2:?--placement needs same, split or none}; shift ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	((micro)) && rounds=${rounds:-15}
	rounds=${rounds:-5}
}

prepare() {
	# shellcheck source=/dev/null
	. "$root/tests/lib/need.sh"
	# shellcheck source=/dev/null
	. "$root/perf/common/build.sh"
	need_packages gcc make libc6-dev cmake pkg-config || die "cannot build without these packages"
	uring=ON
	if ! need_packages liburing-dev; then
		echo "perf/run.sh: no liburing: measuring epoll alone"
		uring=OFF
	fi
	if ((micro)); then
		need_packages g++ libbenchmark-dev || die "--micro needs these packages"
	fi
}

# rr LABEL CONNECTIONS ARGS...: one run, one CSV row. An engine that cannot be had here
# (exit code 3) is passed over; anything else is a failure.
rr() {
	local label=$1 connections=$2 code=0
	shift 2
	"$bin/soqperf" rr -q --csv --no-header --label "$label" -c "$connections" -d "$duration" \
		-W 0.1 -A "$placement" "$@" >>"$rows" 2>"$errors" || code=$?
	[ "$code" -eq 0 ] && return
	cat "$errors" >&2
	if [ "$code" -eq 3 ]; then
		echo "$label" >>"$skipped"
	else
		echo "perf/run.sh: $label at $connections connections: exit code $code" >&2
		failed=1
	fi
}

# The client's engine is the same for all rows but the last: what differs is the server.
server_run() {
	grep -qxF "$1" "$skipped" && return
	case $1 in
	"soq io_uring") rr "$1" "$2" --server-engine uring --receive pool ;;
	"soq epoll") rr "$1" "$2" --server-engine epoll --receive pool ;;
	"plain io_uring") rr "$1" "$2" --server-engine uring --receive plain ;;
	"plain epoll") rr "$1" "$2" --server-engine epoll --receive plain ;;
	"raw epoll") rr "$1" "$2" --server-command "'$bin/twin-epoll' 127.0.0.1:0" ;;
	"raw epoll, edge") rr "$1" "$2" --server-command "'$bin/twin-epoll' --edge 127.0.0.1:0" ;;
	"raw liburing") rr "$1" "$2" --server-command "'$bin/twin-uring' 127.0.0.1:0" ;;
	"raw ring") rr "$1" "$2" --server-command "'$bin/twin-uring' --ring 127.0.0.1:0" ;;
	"soq epoll, both") rr "$1" "$2" --engine epoll ;;
	esac
}

measure() {
	local round connections server order
	local servers=("soq io_uring" "soq epoll" "plain io_uring" "plain epoll" "raw epoll" "raw epoll, edge")
	[ -x "$bin/twin-uring" ] && servers+=("raw liburing" "raw ring")
	servers+=("soq epoll, both")
	for ((round = 0; round < rounds; round++)); do
		for connections in 1 64; do
			# Forth and back: what drifts meanwhile hits all alike.
			order=("${servers[@]}")
			if ((round % 2)); then
				order=()
				for server in "${servers[@]}"; do order=("$server" "${order[@]}"); done
			fi
			for server in "${order[@]}"; do server_run "$server" "$connections"; done
		done
	done
}

# Bytes per CPU second of the server: from a pool, plain into 16 KiB, plain into 64 KiB.
stream() {
	local round server all=$rows
	rows=$work/stream.csv
	: >"$rows"
	for ((round = 0; round < (rounds + 1) / 2; round++)); do
		for server in uring epoll; do
			grep -qxF "$server" "$skipped" && continue
			rr "$server" 4 -s 256Ki -P 2 --server-engine $server --receive pool --label "soq $server, pool"
			rr "$server" 4 -s 256Ki -P 2 --server-engine $server --receive plain --label "soq $server, plain 16 KiB"
			rr "$server" 4 -s 256Ki -P 2 --server-engine $server --receive plain --buffer 64Ki --label "soq $server, plain 64 KiB"
		done
	done
	echo "streams over loopback: 4 connections, 256 KiB requests, 2 outstanding on each"
	awk -v size=262144 -f "$root/perf/stream.awk" "$rows"
	rows=$all
}

# Total time in us that some runnable task waited for a CPU, where the kernel tells.
pressure() {
	sed -n 's/^some.*total=//p' /proc/pressure/cpu 2>/dev/null || true
}

table() {
	awk -F '\t' -v rounds="$rounds" -f "$root/perf/table.awk" <(
		# A label may have commas; its row's other 22 columns have none.
		awk -F , -v OFS='\t' '{
			n = NF - 22; label = $1
			for (i = 2; i <= n; i++) label = label "," $i
			line = label
			for (i = n + 1; i <= NF; i++) line = line OFS $i
			print line
		}' "$rows"
	)
}

harness() {
	local turns=2000
	((quick)) && turns=200
	"$bin/soq-harness" --turns $turns --check || failed=1
	echo
	"$bin/soq-harness" --turns $((turns / 5)) --size 16Ki --check || failed=1
	echo
	"$bin/soq-harness" --turns $((turns / 2)) --hoard || failed=1
	echo
	"$bin/soq-harness" --turns $((turns / 2)) --idle 1000 --check || failed=1
}

# One CPU: two that sleep and wake each other measure the scheduler.
pingpong() {
	local rounds=15
	((quick)) && rounds=3
	"$bin/soq-pingpong" --rounds $rounds --check || failed=1
}

datagrams() {
	local rounds=9
	((quick)) && rounds=3
	"$bin/soq-datagrams" --rounds $rounds || failed=1
}

# In random order, so that no benchmark has all of a bad moment.
micro() {
	local seconds=0.03
	((quick)) && seconds=0.001
	[ -x "$bin/micro/soq-micro" ] || die "soq-micro was not built, see $build/build.log"
	"$bin/micro/soq-micro" --benchmark_min_time=$seconds --benchmark_repetitions="$rounds" \
		--benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true \
		--benchmark_format=csv 2>"$errors" >"$rows" || { cat "$errors" >&2; exit 1; }
	echo
	echo "ns of each item, medians of $rounds rounds; +-: how much soq's own rounds differ"
	echo
	"$bin/micro/soq-micro" --benchmark_list_tests=true |
		awk -f "$root/perf/micro/table.awk" - "$rows"
}

main() {
	local pressure_before started_ns
	parse "$@"
	prepare
	perf_build "$root" "$build" $uring
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	rows=$work/rows.csv errors=$work/errors skipped=$work/skipped failed=0
	: >"$rows"
	: >"$skipped"
	if ((micro)); then
		micro
		return
	fi
	pressure_before=$(pressure)
	started_ns=$(date +%s%N)
	measure
	[ -s "$rows" ] || die "nothing could be measured"
	echo
	echo "request/response over loopback, 64 bytes, placement $placement, medians of $rounds rounds of $duration s"
	echo
	table
	if [ -n "$pressure_before" ]; then
		echo "CPU pressure meanwhile: $((($(pressure) - pressure_before) * 100000 / ($(date +%s%N) - started_ns)))% of the time something waited for a CPU (two ends on one CPU wait for each other)"
	fi
	echo
	stream
	echo
	harness
	echo
	pingpong
	echo
	datagrams
	((failed == 0)) || { echo "FAILED: a byte was wrong or a request lost" >&2; exit 1; }
}

main "$@"
