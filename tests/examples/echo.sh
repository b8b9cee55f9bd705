#!/bin/sh
# SPDX-License-Identifier: MIT
# echo.sh ECHO CLIENT ADDRESS: starts the echo server, talks to it with the client,
# twice, and ends the server.
set -eu

echo_program=$1
client_program=$2
address=$3

folder=$(mktemp -d)
mkfifo "$folder/out"
"$echo_program" "$address" >"$folder/out" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
exec 3<"$folder/out"
IFS= read -r line <&3
bound=${line#echo on }

for text in "hello" "the second client, after the first has gone"; do
	answer=$("$client_program" "$bound" "$text")
	if [ "$answer" != "Echoed text = $text" ]; then
		echo "sent '$text', got '$answer'" >&2
		exit 1
	fi
	echo "$bound: $answer"
done
