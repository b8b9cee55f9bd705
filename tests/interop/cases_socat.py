# SPDX-License-Identifier: MIT
"""socat as client and as server, for every kind of address it shares with soq."""
import contextlib
import os
import re
import socket
import subprocess
import tempfile

from talk import (BACKEND, BIG, INET, PATIENCE, client, every_way, port_of, run, server, skip, text)

LO = socket.if_nametoindex("lo")
SOCAT = ["socat", "-b", "65536", "-t", str(PATIENCE)]


def abstract(what):
	return f"soq-interop-{os.getpid()}-{BACKEND}-{what}"


@contextlib.contextmanager
def socat(*words, until=None):
	"""One that runs beside; until: it has said this, and what it said is handed on."""
	notices = ["-d", "-d"] if until else []
	with subprocess.Popen(SOCAT + notices + list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
			stderr=subprocess.PIPE if until else None) as process:
		said = None
		try:
			for line in process.stderr if until else ():
				said = re.search(until, line.decode())
				if said:
					break
			assert said or not until, "socat has ended early"
			yield process, said
		finally:
			process.terminate()


def listener(address, piece=4096):
	"""A socat that echoes one connection, or one sender's datagrams; its address in words of its own.

	It waits for room in its pipe: no piece may be larger than what there is when there is some.
	"""
	return socat("-b", str(piece), address, "PIPE", until=r"listening on (.*)")


def case_socat():
	data = os.urandom(BIG)
	with server("echo") as port:
		there = f"TCP4:127.0.0.1:{port}"
		assert run(SOCAT + ["-", there], b"one line\n") == b"one line\n"
		assert run(SOCAT + ["-", there], data) == data
	with server("echo", "[::1]:0") as port:
		assert run(SOCAT + ["-", f"TCP6:[::1]:{port}"], data) == data
	with server("http") as port:
		answer = run(SOCAT + ["-", f"TCP4:127.0.0.1:{port}"], b"GET / HTTP/1.0\r\n\r\n")
		assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nhello from soq\n")
	for (family, host), words in zip(INET, ("TCP4-LISTEN:0,bind=127.0.0.1", "TCP6-LISTEN:0,bind=[::1]")):
		for size in (0, 1, BIG):
			with listener(words) as (_, said):
				client(text((host, port_of(said[1])), family), size)


def case_socat_unix():
	data = os.urandom(BIG)
	with server("echo", "unix:@" + abstract("s")):
		assert run(SOCAT + ["-", "ABSTRACT-CONNECT:" + abstract("s")], data) == data
	with tempfile.TemporaryDirectory() as folder:
		for size in (0, 1, 100000):
			with listener(f"UNIX-LISTEN:{folder}/s") as _:
				client(f"unix:{folder}/s", size)
			with listener("ABSTRACT-LISTEN:" + abstract("c")) as _:
				client("unix:@" + abstract("c"), size)
		with server("packets", f"unix:{folder}/p"):
			with socat("-", f"UNIX-CONNECT:{folder}/p,type={int(socket.SOCK_SEQPACKET)}") as (process, _):
				one_by_one(process, (1, 30000, 2))
		with server("datagrams", f"unix:{folder}/d"):
			with socat("-", f"UNIX-SENDTO:{folder}/d,bind={folder}/mine") as (process, _):
				one_by_one(process, (1, 30000, 2))
		with server("datagrams", "unix:@" + abstract("d")):
			with socat("-", f"ABSTRACT-SENDTO:{abstract('d')},bind={abstract('mine')}") as (process, _):
				one_by_one(process, (1, 30000, 2))


def one_by_one(process, sizes):
	"""Each message back before the next is sent: nothing else marks where one ends."""
	for size in sizes:
		data = os.urandom(size)
		process.stdin.write(data)
		process.stdin.flush()
		assert process.stdout.read(size) == data


@every_way
def echoed_by_socat(peer):
	for (family, host), words in zip(INET, ("UDP4-LISTEN:0,bind=127.0.0.1", "UDP6-LISTEN:0,bind=[::1]")):
		with listener(words, 65536) as (_, said):
			theirs = peer.open(family, socket.SOCK_DGRAM)
			theirs.ok("connect", to=text((host, port_of(said[1])), family))
			for size in (1, 1200, 30000):
				data = os.urandom(size)
				theirs.send(data)
				assert theirs.recv(65536) == data
			theirs.ok("close")


def port_of_descriptor(process, descriptor):
	"""Where a UDP socket of another process is bound: socat does not say it."""
	inode = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")[len("socket:["):-1]
	with open(f"/proc/{process.pid}/net/udp", encoding="ascii") as table:
		(row,) = [line.split() for line in table if line.split()[9] == inode]
	return int(row[1].split(":")[1], 16)


@every_way
def groups_with_socat(peer):
	group = f"239.254.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
	theirs = peer.open(socket.AF_INET, socket.SOCK_DGRAM)
	theirs.set("multicast_all", 0)
	theirs.set("multicast_interface", LO)
	there = port_of(theirs.bind("0.0.0.0:0"))
	receiver = f"UDP4-RECV:0,ip-add-membership={group}:lo"
	with socat("-u", receiver, "-", until=r"starting data transfer loop with FDs \[(\d+)") as (process, said):
		data = os.urandom(1000)
		theirs.send(data, to=f"{group}:{port_of_descriptor(process, said[1])}")
		assert process.stdout.read(1000) == data
	theirs.ok("join", group=f"{group}:0", interface=LO)
	data = os.urandom(1000)
	run(SOCAT + ["-u", "-", f"UDP4-DATAGRAM:{group}:{there},ip-multicast-if=127.0.0.1"], data)
	assert theirs.recv(65536) == data
	theirs.ok("close")


def case_socat_udp():
	for (family, host), name in zip(INET, ("UDP4", "UDP6")):
		with server("datagrams", text((host, 0), family)) as port:
			with socat("-", f"{name}:{text((host, port), family)}") as (process, _):
				one_by_one(process, (1, 1200, 30000))
	echoed_by_socat()
	groups_with_socat()


def case_socat_vsock():
	if b"WITH_VSOCK 1" not in run(["socat", "-V"]):
		skip("socat was built without vsock")
	try:
		with socket.socket(socket.AF_VSOCK) as probe:
			probe.bind((1, socket.VMADDR_PORT_ANY))
	except OSError as error:
		skip(f"no vsock within this machine (the module vsock_loopback): {error}")
	data = os.urandom(BIG)
	with server("echo", f"vsock:1:{socket.VMADDR_PORT_ANY}") as port:
		assert run(SOCAT + ["-", f"VSOCK-CONNECT:1:{port}"], data) == data
	for size in (0, 1, 1 << 20):
		with listener(f"VSOCK-LISTEN:{socket.VMADDR_PORT_ANY}") as (_, said):
			client(f"vsock:1:{port_of(said[1])}", size)
