#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What may include what, what is exported, what lies where.
#   check.sh includes|symbols|headers|readmes|toplevel ROOT LIBRARY CC
set -eu
export LC_ALL=C
check=$1 library=$3 cc=$4
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

wrong() {
	printf '%s\n' "$*"
	status=1
}

# forbid WHY REGEX PATH...: no #include below the paths may match.
forbid() {
	local why=$1 regex=$2 hits
	shift 2
	hits=$(grep -rnE --include='*.[ch]' --include='*.cc' "^[[:space:]]*#[[:space:]]*include[[:space:]]*$regex" "$@" || true)
	[ -z "$hits" ] || wrong "$hits"$'\n'"    $why"
}

check_includes() {
	forbid 'public headers include only <soq/...> and system headers' '"' include
	forbid 'io_uring must not show in the API' '<(liburing|linux/io_uring)' include
	forbid 'the fallback must build without liburing' '[<"](liburing|linux/io_uring|(\.\./)*(src/)?uring)' fallback
	forbid 'src/ knows the fallback only through backend.h' '"((\.\./)*fallback/|(\.\./)*epoll)' src
	forbid 'liburing is only for src/uring/' '[<"](liburing|linux/io_uring)' src/*.[ch]
	forbid 'only src/uring/ includes its own headers' '"((\.\./)*src/)?uring/' src/*.[ch]
	if [ -d src/net ]; then
		forbid 'helpers stand on <soq/...>, with their own headers and util.h' '"(\.\./([^u]|u[^t])|[^".]*/)' src/net
		forbid 'the core knows no helper' '"((\.\./)*src/)?net/' src/*.[ch] src/uring fallback
		forbid 'helpers know no io_uring' '<(liburing|linux/io_uring)' src/net
	fi
	# Outside: nothing of src/ or fallback/, by path or by a name found there.
	local private
	private=$(cd src && ls *.h uring/*.h net/*.h ../fallback/*.h | sed 's,.*/,,' | sort -u | paste -sd'|' | sed 's/\./\\./g')
	for folder in tests/conformance tests/examples tests/support tests/interop tests/netns perf; do
		[ -d "$folder" ] || continue
		forbid "$folder sees only include/" '"[^"]*(src|fallback)/' "$folder"
		# A folder may have a header of its own by such a name.
		while IFS=: read -r file line text; do
			local name=${text#*\"}
			name=${name%%\"*}
			[ -e "$(dirname "$file")/$name" ] ||
				wrong "$file:$line: $text"$'\n'"    $folder sees only include/"
		done < <(grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"($private)\"" "$folder" || true)
	done
}

# The functions that headers promise, without what the compiler makes of them.
api() {
	"$cc" -std=c11 -Iinclude -E include/soq/soq.h | tr '\n' ' ' |
		grep -oE '__attribute__\(\(visibility\("default"\)\)\)[^;]*;' |
		grep -oE '\bsoq_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

check_symbols() {
	api >"$work/headers"
	sed -n '/global:/,/local:/s/^[[:space:]]*\(soq_[a-z0-9_]*\);$/\1/p' src/soq.map | sort >"$work/map"
	nm -D --defined-only --without-symbol-versions "$library" |
		awk '$2 != "A" { print $3 }' | sort >"$work/library"
	[ -s "$work/headers" ] || wrong "no SOQ_API function found"
	diff -u "$work/headers" "$work/map" || wrong "the headers and src/soq.map differ"
	diff -u "$work/map" "$work/library" || wrong "src/soq.map and $library differ"
}

check_headers() {
	local header flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude)
	for header in include/soq/*.h; do
		printf '#include <%s>\n' "${header#include/}" >"$work/alone.c"
		"$cc" -std=c11 "${flags[@]}" "$work/alone.c" || wrong "$header does not stand alone in C11"
		c++ -std=c++17 "${flags[@]}" -x c++ "$work/alone.c" || wrong "$header does not stand alone in C++17"
	done
}

check_readmes() {
	local folder
	while read -r folder; do
		[ -f "$folder/README.md" ] || wrong "$folder/ has no README.md"
	done < <(find include src fallback tests perf -mindepth 0 -maxdepth 2 -type d ! -path include/soq ! -name __pycache__)
	grep -rnE 'https?://[^ ]*(localhost|internal)|/(work|home|root)/' --include='*.md' . --exclude-dir=build --exclude-dir=.git &&
		wrong "a path of one machine"
	return 0
}

check_toplevel() {
	local name
	for name in *; do
		case $name in
		CMakeLists.txt | CMakePresets.json | CMakeUserPresets.json | LICENSE | README.md) ;;
		include | src | fallback | tests | perf | build) ;;
		*) wrong "the top level may not hold $name" ;;
		esac
	done
}

"check_$check"
exit $status
