# SPDX-License-Identifier: MIT
"""Connections: echoes, half-closes, urgent bytes, fast open, MPTCP, vsock."""
import array
import errno
import fcntl
import os
import select
import socket
import struct

from talk import (BIG, INET, WAYS, Peer, alone, echo_to_client, every_way, pair, port_of, python_socket,
	received, run, server, skip, text, through_echo)

MPTCP = 262
SOL_MPTCP, MPTCP_INFO = 284, 1
FELL_BACK = 1 # in the flags of its answer
SYN_DATA = 32 # TCPI_OPT_SYN_DATA: the first packet carried data, and that was taken
SIOCATMARK = 0x8905
STREAMS = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def case_curl():
	with server("http") as port:
		url = f"http://127.0.0.1:{port}/"
		assert run(["curl", "-sS", "--noproxy", "*", url]) == b"hello from soq\n"
		many = run(["curl", "-sS", "--noproxy", "*"] + [url] * 50)
		assert many == b"hello from soq\n" * 50


def case_python_client():
	with server("echo") as port:
		here = ("127.0.0.1", port)
		for size in (0, 1, 65537, BIG):
			through_echo(here, os.urandom(size))
		with socket.create_connection(here) as rude:
			rude.sendall(b"x" * 100000)
			rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		with socket.create_connection(here):
			through_echo(here, b"after a reset, beside a silent one")
	with server("echo", "[::1]:0") as port:
		through_echo(("::1", port), os.urandom(BIG), socket.AF_INET6)


def case_python_server():
	for family, host in INET:
		with socket.create_server((host, 0), family=family) as listener:
			listener.settimeout(60)
			for size in (0, 1, BIG):
				echo_to_client(listener, text(listener.getsockname(), family), size)


def soq_hears_the_end_first(theirs, ours, there, back):
	ours.sendall(there)
	ours.shutdown(socket.SHUT_WR)
	assert theirs.recv(len(there), flags="exact") == there
	assert theirs.recv(1) == b""
	assert theirs.ok("poll", events="peer_end").number("peer_end") == 1
	theirs.send(back)
	theirs.ok("close")
	assert received(ours, len(back) + 1) == back


def python_hears_the_end_first(theirs, ours, there, back):
	theirs.send(there)
	theirs.ok("shutdown", how=1)
	theirs.fails(errno.EPIPE, "send", data=b"late")
	assert received(ours, len(there) + 1) == there
	ours.sendall(back)
	ours.close()
	assert theirs.recv(len(back), flags="exact") == back
	assert theirs.recv(1) == b""
	theirs.ok("close")


@every_way
def case_half_close(peer):
	"""What one side has ended, the other still answers: all of it, and then its own end."""
	for family in STREAMS:
		for soq_listens in (False, True):
			for order in (soq_hears_the_end_first, python_hears_the_end_first):
				theirs, ours = pair(peer, family, soq_listens)
				with ours:
					order(theirs, ours, os.urandom(20000), os.urandom(30000))


def at_mark(s):
	answer = array.array("i", [-1])
	fcntl.ioctl(s, SIOCATMARK, answer)
	return answer[0]


def urgent_to_soq(theirs, ours):
	ours.sendall(b"before")
	ours.send(b"and!", socket.MSG_OOB)
	assert theirs.ok("poll", events="urgent").number("urgent") == 1
	assert theirs.ok("at_mark").result == 0
	assert theirs.recv(10, flags="urgent,peek") == b"!"
	assert theirs.recv(10, flags="urgent") == b"!"
	theirs.fails(errno.EINVAL, "recv", size=1, flags="urgent")
	assert theirs.recv(9, flags="exact") == b"beforeand"
	assert theirs.ok("at_mark").result == 1
	ours.sendall(b"after")
	assert theirs.recv(5, flags="exact") == b"after"
	assert theirs.ok("at_mark").result == 0


def urgent_to_python(theirs, ours):
	theirs.send(b"before")
	theirs.send(b"and!", flags="urgent")
	assert select.select([], [], [ours], 60)[2] == [ours]
	assert at_mark(ours) == 0
	assert ours.recv(1, socket.MSG_OOB) == b"!"
	assert received(ours, 9) == b"beforeand"
	assert at_mark(ours) == 1
	theirs.send(b"after")
	assert received(ours, 5) == b"after"
	assert at_mark(ours) == 0


def urgent_inline(theirs, ours):
	"""In the stream at both ends: a byte like the others, and no other way to it."""
	theirs.set("urgent_inline", 1)
	ours.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
	ours.send(b"and!", socket.MSG_OOB)
	assert theirs.ok("poll", events="urgent").number("urgent") == 1
	theirs.fails(errno.EINVAL, "recv", size=1, flags="urgent")
	assert theirs.recv(3, flags="exact") == b"and"
	assert theirs.ok("at_mark").result == 1
	ours.sendall(b"after")
	assert theirs.recv(6, flags="exact") == b"!after"
	theirs.send(b"and!", flags="urgent")
	theirs.send(b"after")
	assert received(ours, 3) == b"and"
	assert at_mark(ours) == 1
	assert received(ours, 6) == b"!after"


def unix_urgent(theirs, ours):
	"""Where the kernel has it for one of them, it has it for the other."""
	try:
		ours.send(b"and!", socket.MSG_OOB)
	except OSError as error:
		assert error.errno == errno.EOPNOTSUPP, error
		theirs.fails(errno.EOPNOTSUPP, "send", data=b"and!", flags="urgent")
		return
	assert theirs.recv(1, flags="urgent") == b"!"
	assert theirs.recv(3, flags="exact") == b"and"
	theirs.send(b"and!", flags="urgent")
	assert ours.recv(1, socket.MSG_OOB) == b"!"
	assert received(ours, 3) == b"and"


@every_way
def case_urgent(peer):
	for soq_listens in (False, True):
		for family, _ in INET:
			for talk in (urgent_to_soq, urgent_to_python, urgent_inline):
				theirs, ours = pair(peer, family, soq_listens)
				with ours:
					talk(theirs, ours)
				theirs.ok("close")
		theirs, ours = pair(peer, socket.AF_UNIX, soq_listens)
		with ours:
			unix_urgent(theirs, ours)
		theirs.ok("close")


def had_syn_data(s):
	return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & SYN_DATA


def fast_open_to_python(peer, family, host):
	with socket.create_server((host, 0), family=family) as listener:
		listener.settimeout(60)
		listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
		for turn in range(3):
			data = os.urandom(700)
			theirs = peer.open(family)
			assert theirs.ok("connect", to=text(listener.getsockname(), family), data=data,
				flags="fast_open").result == 700
			ours, _ = listener.accept()
			with ours:
				assert received(ours, 700) == data
				# The first of all only fetches the cookie that the others show.
				assert turn == 0 or had_syn_data(ours)
				ours.sendall(data)
				assert theirs.recv(700, flags="exact") == data
			theirs.ok("close")


def fast_open_to_soq(peer, family, host):
	listener = peer.open(family)
	at = listener.bind(text((host, 0), family))
	listener.set("fast_open_queue", 8)
	listener.ok("listen")
	for turn in range(3):
		data = os.urandom(700)
		with python_socket(family) as ours:
			assert ours.sendto(data, socket.MSG_FASTOPEN, (host, port_of(at))) == 700
			theirs = listener.accept()
			assert theirs.recv(700, flags="exact") == data
			theirs.send(data)
			assert received(ours, 700) == data
			assert turn == 0 or had_syn_data(ours)
		theirs.ok("close")


def case_fast_open():
	alone("echo 3 > /proc/sys/net/ipv4/tcp_fastopen")
	for way in WAYS:
		with Peer(way) as peer:
			for family, host in INET:
				fast_open_to_python(peer, family, host)
				fast_open_to_soq(peer, family, host)


def fell_back(info):
	return struct.unpack_from("I", info, 8)[0] & FELL_BACK


def soq_fell_back(theirs):
	"""The kernel says so by a flag, or by asking TCP, which knows nothing of it."""
	answer = theirs.ask("get_raw", level=SOL_MPTCP, name=MPTCP_INFO, size=64)
	return answer.result < 0 or fell_back(bytes.fromhex(answer["value"]))


def mptcp_one_by_one(peer):
	"""Over MPTCP where both have it, else over TCP, and both know which."""
	for soq_listens in (False, True):
		theirs, ours = pair(peer, socket.AF_INET, soq_listens, MPTCP)
		with ours:
			assert theirs.ok("info").number("protocol") == MPTCP
			theirs.send(b"to python")
			assert received(ours, 9) == b"to python"
			ours.sendall(b"to soq")
			assert theirs.recv(6, flags="exact") == b"to soq"
			assert not fell_back(ours.getsockopt(SOL_MPTCP, MPTCP_INFO, 64))
			assert not soq_fell_back(theirs)
			theirs.fails(errno.EOPNOTSUPP, "send", data=b"!", flags="urgent")
		assert theirs.recv(1) == b""
		theirs.ok("close")
	with socket.create_server(("127.0.0.1", 0)) as plain:
		theirs = peer.open(socket.AF_INET, protocol=MPTCP)
		theirs.ok("connect", to=text(plain.getsockname()))
		with plain.accept()[0] as ours:
			theirs.send(b"to python")
			assert received(ours, 9) == b"to python"
			assert soq_fell_back(theirs)
		theirs.ok("close")


def case_mptcp():
	try:
		python_socket(socket.AF_INET, protocol=MPTCP).close()
	except OSError as error:
		skip(f"no MPTCP on this machine: {error}")
	for way in WAYS:
		with Peer(way) as peer:
			mptcp_one_by_one(peer)
	for family, host in INET:
		with server("echo", text((host, 0), family), MPTCP) as port:
			through_echo((host, port), os.urandom(BIG), family, MPTCP)
			through_echo((host, port), os.urandom(BIG), family)
		with server("echo", text((host, 0), family)) as port:
			through_echo((host, port), os.urandom(BIG), family, MPTCP)
		for protocol in (MPTCP, 0):
			with python_socket(family, protocol=protocol) as listener:
				listener.bind((host, 0))
				listener.listen()
				echo_to_client(listener, text(listener.getsockname(), family), BIG, MPTCP)


def vsock_socket(kind=socket.SOCK_STREAM):
	"""Bound to a port of the machine's own, which takes a transport for it."""
	s = python_socket(socket.AF_VSOCK, kind)
	s.bind((1, socket.VMADDR_PORT_ANY))
	return s


def case_vsock():
	try:
		listener = vsock_socket()
	except OSError as error:
		skip(f"no vsock within this machine (the module vsock_loopback): {error}")
	with listener:
		listener.listen()
		for size in (0, 1, 1 << 20):
			echo_to_client(listener, f"vsock:1:{listener.getsockname()[1]}", size)
	with server("echo", f"vsock:1:{socket.VMADDR_PORT_ANY}") as port:
		for size in (0, 1, BIG):
			through_echo((1, port), os.urandom(size), socket.AF_VSOCK)
	with server("packets", f"vsock:1:{socket.VMADDR_PORT_ANY}") as port:
		with vsock_socket(socket.SOCK_SEQPACKET) as ours:
			ours.connect((1, port))
			for size in (1, 30000, 2):
				data = os.urandom(size)
				ours.send(data)
				assert ours.recv(1 << 16) == data
