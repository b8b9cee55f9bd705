#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Plants one bug at a time into a copy of the tree, and demands that the tests catch it.
set -euo pipefail

usage() {
	cat <<-'END'
	usage: tests/mutants/run.sh [--only PATTERN] [--part K/N] [-j N] [--keep] [--help]

	Copies the tree, builds the library and its tests once, and then, for each
	*.patch in this folder: applies it, builds, runs the test the patch names on the
	tier it names, and demands that the test fails. Each test is run once without
	a mutant too, and must pass.

	  --only PATTERN  only the patches whose name contains PATTERN (a shell pattern);
	                  the check for rows without a mutant is left out then
	  --part K/N      every Nth patch, from the Kth on (counted from 0); the others have
	                  to apply, and are not tried
	  -j N            so many at a time, each in a copy of its own (default: two for
	                  each processor)
	  --keep          leave the copies where they are, and say where

	Fails when a mutant survives, does not apply or does not compile, and when a row
	of tests/contract/contract.txt, or of behaviours.txt beside it, has no mutant.
	END
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mutants=$root/tests/mutants
only=
part=0/1
jobs=$((2 * $(nproc))) # half of them wait for a test that hangs
keep=
limit=10 # seconds for one test

while [ $# -gt 0 ]; do
	case $1 in
	--only) only=${2:?--only needs a pattern} && shift 2 ;;
	--part) part=${2:?--part needs K/N} && shift 2 ;;
	-j) jobs=${2:?-j needs a number} && shift 2 ;;
	-j*) jobs=${1#-j} && shift ;;
	--keep) keep=yes && shift ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
done

# field name patch: a header line of a patch.
field() {
	sed -n "/^--- /q; s/^$1: *//p" "$2"
}

# copy_tree to: the files of the tree as they are now, and nothing that was built.
copy_tree() {
	mkdir -p "$1"
	if git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		(cd "$root" && git ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
			tar -c --null --no-recursion -T -) | tar -x -C "$1"
	else
		tar -c -C "$root" --exclude=./build --exclude='./build-*' . | tar -x -C "$1"
	fi
}

# build dir target...: from the copy in `dir`.
build() {
	local dir=$1
	shift
	cmake --build "$dir/build" -j "$build_jobs" --target "$@" >"$dir/log" 2>&1
}

# prepare dir sanitizers test...: a copy of its own for one worker, built. A test that
# is not there or does not build is found by check_sound.
prepare() {
	local test
	cp -a "$temp/tree" "$1/tree"
	cmake -S "$1/tree" -B "$1/build" "${generator[@]}" -DSOQ_BUILD_TESTS=ON \
		-DSOQ_SANITIZE="$2" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 >"$1/log" 2>&1 &&
		build "$1" soq_testing || return 1
	build "$1" "${@:3}" || for test in "${@:3}"; do build "$1" "$test" || true; done
}

# run_test dir test tier case ctest: its exit status; what it said is in dir/out.
run_test() {
	local program
	if [ -n "$5" ]; then
		timeout -k 1 "$limit" ctest --test-dir "$1/build" --no-tests=error \
			--output-on-failure -R "^$5\$" >"$1/out" 2>&1 </dev/null
		return
	fi
	program=$(find "$1/build" -type f -name "$2" -perm -u+x | head -n 1)
	[ -n "$program" ] || { echo "no program $2" >"$1/out" && return 99; }
	# The exit keeps this shell alive, so that it does not tell how the program died.
	(cd "$1" && SOQ_TEST_TIER=$3 SOQ_TEST_ONLY=$4 timeout -k 1 "$limit" "$program" && exit 0
		exit $?) >"$1/out" 2>&1 </dev/null
}

# how status out: the test case that caught the mutant, and how if it did not just fail.
how() {
	local name
	name=$(sed -n 's/^\[  FAILED  \] \([a-z_][A-Za-z0-9_]*\)$/\1/p' "$2" | head -n 1)
	[ -n "$name" ] || name=$(sed -n 's/^\[ RUN      \] //p' "$2" | tail -n 1)
	case $1 in
	124 | 137) echo "$name, time over" ;;
	134) grep -q 'Assertion' "$2" && echo "$name, assertion" || echo "$name, abort" ;;
	*) echo "${name:-status $1}" ;;
	esac
}

# judge dir patch: tries one mutant; prints its line of the table.
judge() {
	local dir=$1 patch=$2 name rows tier test case ctest status=0 verdict
	name=$(basename "$patch" .patch)
	rows=$(field row "$patch") tier=$(field tier "$patch")
	test=$(field test "$patch") case=$(field only "$patch")
	ctest=$(field ctest "$patch")
	[ -z "$(field sanitize "$patch")" ] || dir=$dir/sanitized
	if grep -qxF "$(key "$patch")" "$temp/unsound"; then
		echo "see above" >"$dir/out"
		verdict="NO SUCH TEST $test ($tier)"
	elif ! patch -p1 -s -f -d "$dir/tree" <"$patch" >"$dir/out" 2>&1; then
		verdict="NOT APPLIED"
	elif ! build "$dir" "$test"; then
		verdict="NOT COMPILED"
		cp "$dir/log" "$dir/out"
	else
		run_test "$dir" "$test" "$tier" "$case" "$ctest" || status=$?
		verdict="SURVIVED $test ($tier)"
		[ "$status" -eq 0 ] || verdict="$test ($tier): ${ctest:-$(how "$status" "$dir/out")}"
	fi
	case $verdict in
	NO* | SURVIVED*) sed 's/^/    /' "$dir/out" | tail -n 20 >"$temp/why/$name" ;;
	esac
	restore "$dir" "$patch"
	printf '%-11s %-40s %s\n' "$rows" "$name" "$verdict"
}

# restore dir patch: the files of the patch as they were, and newer than their objects.
restore() {
	local file
	while IFS= read -r file; do
		[ ! -e "$temp/tree/$file" ] || cp "$temp/tree/$file" "$1/tree/$file"
		rm -f "$1/tree/$file".orig "$1/tree/$file".rej
	done < <(sed -n 's,^+++ b/\([^ 	]*\).*,\1,p' "$2")
}

# work number: tries what no other worker has taken.
work() {
	local patch
	for patch in "${chosen[@]}"; do
		# The first alone has a copy with sanitizers.
		[ "$1" -eq 1 ] || [ -z "$(field sanitize "$patch")" ] || continue
		mkdir "$temp/taken/$(basename "$patch")" 2>/dev/null || continue
		judge "$temp/worker$1" "$patch" | tee "$temp/lines/$(basename "$patch" .patch)"
	done
}

# key patch: the test it wants, where and on what.
key() {
	echo "$(field test "$1")|$(field tier "$1")|$(field only "$1")|$(field sanitize "$1")|$(field ctest "$1")"
}

# check_sound: each test has to pass without a mutant, or a failure would mean nothing.
check_sound() {
	local key test tier case sanitize ctest dir
	while IFS= read -r key; do
		IFS='|' read -r test tier case sanitize ctest <<<"$key"
		dir=$temp/worker1${sanitize:+/sanitized}
		if ! run_test "$dir" "$test" "$tier" "$case" "$ctest"; then
			echo "without a mutant $test ($tier${case:+, $case}) fails:"
			tail -n 20 "$dir/out" | sed 's/^/    /'
		elif [ -n "$case" ] && ! grep -q '^\[       OK \]' "$dir/out"; then
			echo "$test has no case $case"
		else
			continue
		fi
		echo "$key" >>"$temp/unsound"
	done < <(for patch in "${chosen[@]}"; do key "$patch"; done | sort -u)
}

[[ $part =~ ^[0-9]+/[1-9][0-9]*$ ]] || { usage >&2 && exit 2; }
chosen=() others=()
for patch in "$mutants"/*.patch; do
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $(basename "$patch" .patch) == *$only* ]] || continue
	if [ $(((${#chosen[@]} + ${#others[@]}) % ${part#*/})) -eq $((${part%/*} % ${part#*/})) ]; then
		chosen+=("$patch")
	else
		others+=("$patch")
	fi
done
[ "${#chosen[@]}" -gt 0 ] || { echo "no mutant matches $only" >&2 && exit 2; }
[ "$jobs" -le "${#chosen[@]}" ] || jobs=${#chosen[@]}
build_jobs=$((($(nproc) + jobs - 1) / jobs))

temp=$(mktemp -d "${TMPDIR:-/tmp}/soq-mutants.XXXXXX")
if [ -n "$keep" ]; then
	echo "in $temp"
else
	trap 'rm -rf "$temp"' EXIT
fi
mkdir -p "$temp/taken" "$temp/lines" "$temp/why"
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi

copy_tree "$temp/tree"
mapfile -t tests < <(for patch in "${chosen[@]}"; do
	[ -n "$(field sanitize "$patch")" ] || field test "$patch"
done | sort -u)
mapfile -t sanitized < <(for patch in "${chosen[@]}"; do
	[ -z "$(field sanitize "$patch")" ] || field test "$patch"
done | sort -u)
prepared=()
for ((i = 1; i <= jobs; i++)); do
	mkdir -p "$temp/worker$i/sanitized"
	(
		[ "${#tests[@]}" -eq 0 ] || prepare "$temp/worker$i" "" "${tests[@]}" || exit 1
		[ "$i" -gt 1 ] || [ "${#sanitized[@]}" -eq 0 ] ||
			prepare "$temp/worker$i/sanitized" address,undefined "${sanitized[@]}"
	) &
	prepared+=($!)
done
for pid in "${prepared[@]}"; do
	wait "$pid" || { tail -n 30 "$temp"/worker*/log "$temp"/worker*/sanitized/log; echo "the tree does not build"; exit 1; }
done 2>/dev/null
: >"$temp/unsound"
check_sound

printf '%-11s %-40s %s\n' row mutant 'caught by'
for ((i = 1; i <= jobs; i++)); do
	work "$i" &
done
wait

survived=$(grep -l 'SURVIVED\|NO SUCH TEST\|NOT APPLIED\|NOT COMPILED' "$temp"/lines/* | wc -l || true)
caught=$((${#chosen[@]} - survived))
for patch in "${others[@]}"; do
	patch -p1 -s -f --dry-run -d "$temp/tree" <"$patch" >/dev/null 2>&1 && continue
	echo "$(basename "$patch" .patch): NOT APPLIED"
	survived=$((survived + 1))
done
for why in "$temp"/why/*; do
	[ ! -e "$why" ] || { echo "$(basename "$why"):" && cat "$why"; }
done
missing=
[ -n "$only" ] || missing=$("$root/tests/contract/planted.py") || true
[ -z "$missing" ] || echo "$missing"
echo "$caught caught, $survived survived"
[ "$survived" -eq 0 ] && [ -z "$missing" ]
