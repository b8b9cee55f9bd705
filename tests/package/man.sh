#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installed man pages without holes: every exported function has one that says what it
# returns and names every error its comment names; every option is in soq_options(7); every
# page renders without a warning; every reference leads somewhere.
#   man.sh ROOT PREFIX
set -eu
export LC_ALL=C.UTF-8
root=$1
pages=$2/share/man
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong() {
	printf '%s\n' "$*"
	status=1
}

# comment_of FUNCTION: the comment above its declaration, and the declaration.
comment_of() {
	awk -v name="$1" '/^\/\*\*/ { text = "" } { text = text $0 "\n" }
		/^SOQ_API/ && $0 ~ "[ *]" name "\\(" { printf "%s", text; exit }' "$root"/include/soq/*.h
}

# render PAGE: as `man` shows it but on one line, into $work; a page that is only `.so`
# shows the other.
render() {
	(cd "$pages" && groff -man -Tutf8 -P-cbou -rLL=200n -ww "$1") 2>"$work/warnings" | tr -s ' \n' ' ' >"$work/${1#*/}"
	[ ! -s "$work/warnings" ] || wrong "$(cat "$work/warnings")"
}

check_function() {
	local text comment section error
	man -M "$pages" -w 3 "$1" >/dev/null 2>&1 && [ -s "$work/$1.3" ] || { wrong "no page $1(3)"; return; }
	text=$(cat "$work/$1.3")
	comment=$(comment_of "$1")
	[ -n "$comment" ] || wrong "$1: no comment in the headers"
	for section in SYNOPSIS DESCRIPTION "RETURN VALUE" "SEE ALSO"; do
		[[ $text == *" $section "* ]] ||
			{ [ "$section" = "RETURN VALUE" ] && grep -qE "^SOQ_API (SOQ_MUST_CHECK )?void $1\(" <<<"$comment"; } ||
			wrong "$1(3) has no $section"
	done
	[[ $text =~ " NAME "([a-z_, ]*", ")?"$1"(", "[a-z_, ]*)?" - "[^\ ] ]] || wrong "$1 is not in NAME of its page"
	[[ $text =~ SYNOPSIS.*"#include <soq/".*[\ *]"$1(".*DESCRIPTION ]] || wrong "$1 is not in SYNOPSIS of its page"
	for error in $(grep -oE -- '-E[A-Z0-9]+' <<<"$comment" | sort -u); do
		[[ $text =~ "$error"[^A-Z0-9] ]] || wrong "$1(3) does not name $error"
	done
}

check_page() {
	local text reference
	text=$(cat "$work/${1#*/}")
	lexgrog -m "$pages/$1" >/dev/null || grep -q '^\.so ' "$pages/$1" || wrong "$1: apropos will not find it"
	! grep -oE '(``|[A-Za-z0-9)]\*\*|@CALLS@).{20}' <<<"$text" || wrong "$1: markup that was not understood"
	for reference in $(grep -oE '\bsoq(_[a-z0-9_]+)?\([0-9][a-z]*\)' <<<"$text" | sort -u); do
		reference=${reference%)}
		[ -e "$work/${reference/(/.}" ] || wrong "$1 refers to $reference), which is not there"
	done
}

mapfile -t all < <(cd "$pages" && find man3 man7 -type f | sort)
for page in "${all[@]}"; do
	render "$page"
done
functions=$(sed -n '/global:/,/local:/s/^[[:space:]]*\(soq_[a-z0-9_]*\);$/\1/p' "$root/src/soq.map")
[ -n "$functions" ] || wrong "no function in src/soq.map"
for function in $functions; do
	check_function "$function"
done
for concept in "$root"/include/man/*.rst; do
	man -M "$pages" -w 7 "$(basename "$concept" .rst)" >/dev/null || wrong "no page for $concept"
done
for option in $(grep -oE '^	SOQ_OPTION_[A-Z0-9_]+' "$root/include/soq/option.h"); do
	grep -qE " $option [^ ]" "$work/soq_options.7" || wrong "soq_options(7) has no $option"
done
for page in "${all[@]}"; do
	check_page "$page"
done
exit $status
