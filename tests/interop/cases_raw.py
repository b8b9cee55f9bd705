# SPDX-License-Identifier: MIT
"""Ping, raw and packet sockets, as root of namespaces of their own."""
import os
import socket
import struct

from talk import INET, WAYS, Peer, alone, port_of, python_socket, text

ICMP = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
NOBODYS = 253 # a protocol for experiments, RFC 3692
FRAMES = 0x88b5 # likewise, of IEEE 802
HEADER_BYTES = {socket.AF_INET: 20, socket.AF_INET6: 0} # what a raw socket has in front
LO = socket.if_nametoindex("lo")


def checksum(data):
	total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
	while total >> 16:
		total = (total & 0xffff) + (total >> 16)
	return ~total & 0xffff


def echo(kind, number, sequence, data):
	"""An ICMP message; its checksum is right for IPv4, and the kernel's business for IPv6."""
	head = struct.pack("!BBHHH", kind, 0, 0, number, sequence)
	return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def is_echo(message, kind, number, sequence, data):
	found = struct.unpack("!BBHHH", message[:8])
	return (found[0], found[1], found[3], found[4]) == (kind, 0, number, sequence) and message[8:] == data


def answer_of(s, family, asked):
	"""Python's answer to a ping, once it has seen that; the address goes without a port."""
	message, sender = s.recvfrom(65536)
	message = message[HEADER_BYTES[family]:]
	assert is_echo(message, *asked), (message, asked)
	assert family != socket.AF_INET or checksum(message) == 0
	s.sendto(echo(ICMP[family][2], *asked[1:]), sender)


def soq_pings_python(peer, family, host):
	protocol, request, reply = ICMP[family]
	with python_socket(family, socket.SOCK_RAW, protocol) as raw:
		theirs = peer.open(family, socket.SOCK_DGRAM, protocol)
		number = port_of(theirs.bind(text((host, 0), family)))
		for sequence, size in enumerate((0, 1, 56, 1400)):
			data = os.urandom(size)
			theirs.send(echo(request, 0, sequence, data), to=text((host, 0), family))
			answer_of(raw, family, (request, number, sequence, data))
			answer = theirs.ok("recv_from", size=65536)
			assert is_echo(answer["data"], reply, number, sequence, data), answer
			assert answer["from"] == text((host, 0), family), answer
			# What Python has sent comes by on its own raw socket too.
			assert is_echo(raw.recv(65536)[HEADER_BYTES[family]:], reply, number, sequence, data)
		theirs.ok("close")


def python_pings_soq(peer, family, host):
	protocol, request, reply = ICMP[family]
	with python_socket(family, socket.SOCK_DGRAM, protocol) as ours:
		theirs = peer.open(family, socket.SOCK_RAW, protocol)
		ours.bind((host, 0))
		number = ours.getsockname()[1]
		for sequence, size in enumerate((0, 1, 56, 1400)):
			data = os.urandom(size)
			ours.sendto(echo(request, 0, sequence, data), (host, 0))
			answer = theirs.ok("recv_from", size=65536)
			message = answer["data"][HEADER_BYTES[family]:]
			assert is_echo(message, request, number, sequence, data), answer
			theirs.send(echo(reply, number, sequence, data), to=answer["from"])
			message, sender = ours.recvfrom(65536)
			assert is_echo(message, reply, number, sequence, data) and sender[0] == host
			assert is_echo(theirs.recv(65536)[HEADER_BYTES[family]:], reply, number, sequence, data)
		theirs.ok("close")


def case_ping():
	"""The kernel answers nobody here: the other side does."""
	alone("echo 0 0 > /proc/sys/net/ipv4/ping_group_range",
		"echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all",
		"echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all")
	for way in WAYS:
		with Peer(way) as peer:
			for family, host in INET:
				soq_pings_python(peer, family, host)
				python_pings_soq(peer, family, host)


def with_header(family, host, data):
	address = socket.inet_pton(family, host)
	if family == socket.AF_INET6:
		return struct.pack("!IHBB", 6 << 28, len(data), NOBODYS, 33) + address + address + data
	# The kernel puts in the length, an identification and the checksum.
	return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 33, NOBODYS, 0) + address + address + data


def raw_one_by_one(peer, family, host):
	"""Everything raw of a host comes to both, so each is heard at both ends, in order."""
	skipped = HEADER_BYTES[family]
	with python_socket(family, socket.SOCK_RAW, NOBODYS) as ours:
		theirs = peer.open(family, socket.SOCK_RAW, NOBODYS)
		for sender in ("soq", "python", "soq with a header"):
			for size in (1, 1000, 20000):
				data = os.urandom(size)
				if sender == "python":
					ours.sendto(data, (host, 0))
				elif sender == "soq":
					theirs.send(data, to=text((host, 0), family))
				else:
					theirs.set("header_included", 1)
					theirs.send(with_header(family, host, data), to=text((host, 0), family))
					theirs.set("header_included", 0)
				message, address = ours.recvfrom(65536)
				assert message[skipped:] == data and address[0] == host, (sender, size)
				assert family != socket.AF_INET or message[8] == (33 if "header" in sender else 64)
				answer = theirs.ok("recv_from", size=65536)
				assert answer["data"][skipped:] == data, (sender, size)
				assert answer["from"].startswith(text((host, 0), family).rsplit(":", 1)[0]), answer
		theirs.ok("close")


def case_raw():
	alone()
	for way in WAYS:
		with Peer(way) as peer:
			for family, host in INET:
				raw_one_by_one(peer, family, host)


def packets_one_by_one(peer, kind):
	"""Whole frames (SOCK_RAW), or what is in them (SOCK_DGRAM); lo carries each to both."""
	frame = bytes(12) + struct.pack("!H", FRAMES) if kind == socket.SOCK_RAW else b""
	there = f"packet:{LO}:{FRAMES:04x}:0:0:000000000000"
	with python_socket(socket.AF_PACKET, kind, socket.htons(FRAMES)) as ours:
		ours.bind(("lo", FRAMES))
		theirs = peer.open(socket.AF_PACKET, kind, socket.htons(FRAMES))
		theirs.bind(f"packet:{LO}:{FRAMES:04x}:0:0:")
		for sender in ("soq", "python"):
			for size in (1, 1400, 20000):
				data = frame + os.urandom(size)
				if sender == "soq":
					theirs.send(data, to=there)
				else:
					ours.sendto(data, ("lo", FRAMES, 0, 0, bytes(6)))
				message, address = ours.recvfrom(65536)
				assert message == data, (sender, size, len(message))
				assert address == ("lo", FRAMES, 0, 772, bytes(6)), address
				answer = theirs.ok("recv_from", size=65536)
				assert answer["data"] == data, (sender, size)
				assert answer["from"] == f"packet:{LO}:{FRAMES:04x}:772:0:000000000000", answer
		theirs.ok("close")


def case_packet():
	alone()
	for way in WAYS:
		with Peer(way) as peer:
			for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
				packets_one_by_one(peer, kind)
