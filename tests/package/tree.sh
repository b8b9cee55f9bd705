# SPDX-License-Identifier: MIT
# Sourced by the tests that build soq more than once.

# copy_tree FROM TO: the files of a tree as they are now, and nothing that was built.
copy_tree() {
	mkdir -p "$2"
	tar -c -C "$1" --exclude=./build --exclude=./.git . | tar -x -C "$2"
}

# build_libraries SOURCE BUILD TARGET CC [TYPE]: with debug information; optimised, unless TYPE
# is Debug.
build_libraries() {
	mkdir -p "$2"
	{ cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE="${5:-RelWithDebInfo}" -DSOQ_BUILD_TESTS=OFF \
		-DSOQ_BUILD_MAN=OFF -DCMAKE_C_COMPILER="$4" && cmake --build "$2" --target "$3"; } >"$2/log" 2>&1 ||
		{ tail -n 30 "$2/log"; return 1; }
}
