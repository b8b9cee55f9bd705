#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs a program of somebody else's against an installed soq.
#   consume.sh cmake|pkg-config C|CXX PREFIX COMPILER
set -eu
export LC_ALL=C
way=$1 language=$2 prefix=$3 compiler=$4
project=$(cd "$(dirname "$0")/consumer" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(find "$prefix" -name base.h -exec sed -n 's/^#define SOQ_VERSION_M*[A-Z]* \([0-9]*\)$/\1/p' {} + | paste -sd.)

# ran PROGRAM KIND: it does what it should, and has soq from where it should.
ran() {
	local shared=0
	[ "$(LD_LIBRARY_PATH=${3:-} "$1")" = soq ] || { echo "$1 ($2) failed"; return 1; }
	! readelf -d "$1" | grep -q 'NEEDED.*libsoq' || shared=1
	[ "$shared-$2" = 1-shared ] || [ "$shared-$2" = 0-static ] || { echo "$1 is not linked $2"; return 1; }
}

consume_cmake() {
	# Copied: nothing of the tree is near it.
	cp "$project"/* "$work"
	cmake -S "$work" -B "$work/build" -DLANGUAGE="$language" -DVERSION="$version" -DCMAKE_PREFIX_PATH="$prefix" \
		-D"CMAKE_${language}_COMPILER=$compiler" >"$work/log" &&
		cmake --build "$work/build" >>"$work/log" || { cat "$work/log"; return 1; }
	ran "$work/build/with_soq" shared
	ran "$work/build/with_static" static
	refuses 0.999
	refuses 999.0
}

# refuses VERSION: another minor version is another interface, as long as there is no 1.0.
refuses() {
	mkdir -p "$work/$1"
	printf '%s\n' 'cmake_minimum_required(VERSION 3.22)' 'project(refused NONE)' \
		"find_package(soq $1 REQUIRED)" >"$work/$1/CMakeLists.txt"
	! cmake -S "$work/$1" -B "$work/$1/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 ||
		{ echo "find_package(soq $1) was content"; return 1; }
	grep -q 'considered but not accepted' "$work/log" || { cat "$work/log"; return 1; }
}

consume_pkg-config() {
	local libdir source=$project/consumer.c flags=(-std=c11) words
	libdir=$(dirname "$(find "$prefix" -name libsoq.a)")
	export PKG_CONFIG_PATH=$libdir/pkgconfig
	[ "$language" = C ] || { source=$project/consumer.cc flags=(-std=c++17); }
	[ "$(pkg-config --modversion soq)" = "$version" ] || { echo "soq.pc is of another version"; return 1; }
	read -ra words < <(pkg-config --cflags --libs soq)
	"$compiler" "${flags[@]}" "$source" -o "$work/shared" "${words[@]}"
	ran "$work/shared" shared "$libdir"
	case " ${words[*]} " in *uring*) echo "who links soq need not link liburing"; return 1 ;; esac
	# -static: everything in one file, so everything has to be named.
	read -ra words < <(pkg-config --static --cflags --libs soq)
	"$compiler" "${flags[@]}" "$source" -o "$work/static" -static "${words[@]}"
	ran "$work/static" static
}

"consume_$way"
