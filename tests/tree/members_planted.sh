#!/bin/sh
# SPDX-License-Identifier: MIT
# members_planted.sh ROOT PYTHON: members.py finds each mistake it is there for.
set -eu
root=$1
python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# planted FILE SED WORDS: with the change, members.py fails and says WORDS.
planted() {
	rm -rf "$work/tree"
	mkdir "$work/tree"
	cp -r "$root/include" "$root/README.md" "$work/tree"
	sed -i "$2" "$work/tree/$1"
	! cmp -s "$work/tree/$1" "$root/$1" || { echo "$2 changes nothing in $1" >&2; exit 1; }
	if said=$("$python" "$root/include/man/members.py" "$work/tree"); then
		echo "not noticed: $2" >&2
		exit 1
	fi
	case $said in
	*"$3"*) ;;
	*)
		printf 'after %s it says:\n%s\n' "$2" "$said" >&2
		exit 1
		;;
	esac
}

planted README.md 's/`soq_accept()`/`soq_excerpt()`/' "README.md has another table"
planted include/soq/socket.h 's/NET:   Socket.Bind/NET:   Socket.Bond/' "names Socket.Bond, which"
planted include/soq/socket.h '/NET:   Socket.Bind/d' "Socket.Bind has neither a call nor a reason"
planted include/soq/accept.h '/NET:   Socket.AcceptAsync$/d' "Socket.BeginAccept has neither"
planted include/soq/socket.h 's/NET:   Socket.Bind/&, Socket.SetIPProtectionLevel/' "is not needed"
planted include/man/members.txt 's/^Bind$/Bind, Bend/' "Socket.Bend has neither"
planted include/man/members.txt 's/SOQ_OPTION_TTL/SOQ_OPTION_TLL/' "names SOQ_OPTION_TLL, which no header has"
planted include/man/members.txt 's/^Bind$/&\n&/' "Socket.Bind twice"
