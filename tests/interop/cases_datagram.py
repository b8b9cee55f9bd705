# SPDX-License-Identifier: MIT
"""Datagrams: echoes, many at once, what is told beside the bytes, broadcast, groups."""
import errno
import os
import socket
import struct
import tempfile

from talk import (INET, WAYS, Peer, alone, every_way, port_of, python_socket, run, server, text)

UDP_SEGMENT, UDP_GRO = 103, 104
LO = socket.if_nametoindex("lo")
IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29
IP_ADD_SOURCE_MEMBERSHIP = 39
IP_PKTINFO, IP_RECVTTL = 8, 12
CMSG_ROOM = 512


def datagrams_through(port, family, address, sizes):
	"""Each comes back whole, from the server, in order."""
	with python_socket(family, socket.SOCK_DGRAM) as us:
		us.bind(address)
		for size in sizes:
			data = os.urandom(size)
			us.sendto(data, port)
			answer, peer = us.recvfrom(1 << 16)
			assert answer == data, (size, len(answer))
			assert peer[:2] == port[:2] or peer == port, peer


def case_datagrams():
	for family, host in INET:
		with server("datagrams", text((host, 0), family)) as port:
			datagrams_through((host, port), family, (host, 0), (0, 1, 1200, 0, 60000))
	with server("datagrams") as port:
		there = f"UDP4:127.0.0.1:{port}"
		assert run(["socat", "-t", "1", "-", there], b"one datagram") == b"one datagram"
	with tempfile.TemporaryDirectory() as folder:
		ours, theirs = folder + "/ours", folder + "/theirs"
		with server("datagrams", "unix:" + theirs) as path:
			assert path == theirs
			datagrams_through(path, socket.AF_UNIX, ours, (0, 1, 65000, 17))
		assert not os.path.exists(theirs)


class Two:
	"""A datagram socket of soq's and one of Python's, bound to loopback; they know each other's address."""

	def __init__(self, peer, family, host):
		self.family, self.host = family, host
		self.ours = python_socket(family, socket.SOCK_DGRAM)
		self.ours.bind((host, 0))
		self.here = text(self.ours.getsockname(), family)
		self.theirs = peer.open(family, socket.SOCK_DGRAM)
		self.there = self.theirs.bind(text((host, 0), family))
		self.address = (host, port_of(self.there))

	def __enter__(self):
		return self

	def __exit__(self, *why):
		self.ours.close()
		if why[0] is None:
			self.theirs.ok("close")

	def ours_gets(self, data):
		answer, peer = self.ours.recvfrom(1 << 16)
		assert answer == data, (len(answer), len(data))
		assert peer[:2] == self.address, peer


def pieces(data, size):
	return [data[at:at + size] for at in range(0, len(data), size)]


def from_soq(two):
	"""One send of soq's is many datagrams for Python."""
	for size, total in ((1200, 51 * 1200), (1200, 50 * 1200 + 1), (1, 128), (1000, 999), (9000, 65507)):
		data = os.urandom(total)
		assert two.theirs.ok("send_msg", to=two.here, data=data, segment=size).result == total
		for piece in pieces(data, size):
			two.ours_gets(piece)
	two.theirs.fails(errno.EMSGSIZE, "send_msg", to=two.here, data=bytes(129), segment=1)
	data = os.urandom(40 * 100 + 7)
	assert two.theirs.ok("send_batch", to=two.here, data=data, count=40).result == 40
	for piece in pieces(data[:3900], 100) + [data[3900:]]:
		two.ours_gets(piece)


def from_python(two):
	"""What Python sends at once comes as many, unless soq asks for them together."""
	data = os.urandom(20 * 700 + 3)
	option = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", 700))
	two.ours.sendmsg([data], [option], 0, two.address)
	for piece in pieces(data, 700):
		answer = two.theirs.ok("recv_from", size=65536)
		assert answer["data"] == piece and answer["from"] == two.here
	two.ours.sendmsg([data], [option], 0, two.address)
	got = []
	while len(got) < 21:
		batch = two.theirs.ok("recv_batch", count=8, size=1000)
		got += [bytes.fromhex(piece) for piece in batch["data"].split(",")[:-1]]
	assert got == pieces(data, 700)


def together(two):
	"""Whoever asks gets several datagrams at once, and their size: one sender's, in order."""
	data = os.urandom(20 * 700 + 3)
	two.theirs.ok("set_message_info", info="segments,packet")
	two.ours.sendmsg([data], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", 700))], 0, two.address)
	whole = b""
	while len(whole) < len(data):
		answer = two.theirs.ok("recv_msg", size=65536)
		assert answer["from"] == two.here and port_of(answer["to"]) == 0
		assert answer.number("segment") == 700 or len(answer["data"]) <= 700
		whole += answer["data"]
	assert whole == data
	two.ours.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
	two.theirs.ok("send_msg", to=two.here, data=data, segment=700)
	whole = b""
	while len(whole) < len(data):
		piece, about, _, peer = two.ours.recvmsg(65536, CMSG_ROOM)
		sizes = [struct.unpack("i", value)[0] for level, kind, value in about
			if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO)]
		assert sizes == [700] or len(piece) <= 700, (sizes, len(piece))
		assert peer[:2] == two.address
		whole += piece
	assert whole == data
	two.ours.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)


@every_way
def case_segments(peer):
	for family, host in INET:
		with Two(peer, family, host) as two:
			from_soq(two)
			from_python(two)
			together(two)


def told(about, level, kind):
	(value,) = [value for of, what, value in about if (of, what) == (level, kind)]
	return value


def beside_ipv4(two):
	ours, theirs = two.ours, two.theirs
	for option in (socket.IP_RECVTOS, IP_RECVTTL, IP_PKTINFO):
		ours.setsockopt(socket.IPPROTO_IP, option, 1)
	theirs.ok("send_msg", to=two.here, data=b"marked", ecn=2, dscp=46, ttl=9, source="127.0.0.3:0", interface=LO)
	data, about, _, peer = ours.recvmsg(100, CMSG_ROOM)
	# The kernel goes by the address in IP_PKTINFO, on the port that is bound.
	assert data == b"marked" and peer == ("127.0.0.3", two.address[1]), (data, peer)
	assert told(about, socket.IPPROTO_IP, socket.IP_TOS)[0] == 46 << 2 | 2
	assert struct.unpack("i", told(about, socket.IPPROTO_IP, socket.IP_TTL)) == (9,)
	assert struct.unpack("i", told(about, socket.IPPROTO_IP, IP_PKTINFO)[:4]) == (LO,)
	ours.sendmsg([b"marked"], [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 10 << 2 | 1)),
		(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 17))], 0, two.address)


def beside_ipv6(two):
	ours, theirs = two.ours, two.theirs
	for option in (socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVPKTINFO):
		ours.setsockopt(socket.IPPROTO_IPV6, option, 1)
	theirs.ok("send_msg", to=two.here, data=b"marked", ecn=2, dscp=46, ttl=9, source="[::1]:0", interface=LO)
	data, about, _, peer = ours.recvmsg(100, CMSG_ROOM)
	assert data == b"marked" and peer[:2] == two.address
	assert struct.unpack("i", told(about, socket.IPPROTO_IPV6, socket.IPV6_TCLASS)) == (46 << 2 | 2,)
	assert struct.unpack("i", told(about, socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)) == (9,)
	address = socket.inet_pton(socket.AF_INET6, "::1")
	assert told(about, socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) == address + struct.pack("i", LO)
	ours.sendmsg([b"marked"], [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("i", 10 << 2 | 1)),
		(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, struct.pack("i", 17))], 0, two.address)


@every_way
def case_beside(peer):
	"""Marks, hops, addresses, interfaces and times: what one has sent the other is told."""
	for (family, host), beside in zip(INET, (beside_ipv4, beside_ipv6)):
		with Two(peer, family, host) as two:
			two.theirs.ok("set_message_info", info="ecn,packet,ttl,time")
			beside(two)
			answer = two.theirs.ok("recv_msg", size=100)
			assert answer["data"] == b"marked" and answer["from"] == two.here
			assert (answer.number("ecn"), answer.number("dscp"), answer.number("ttl")) == (1, 10, 17)
			assert answer["to"] == text((host, 0), family) and answer.number("interface") == LO
			assert answer.number("time") > 0
			# Cut, and told so; the one behind it is whole.
			two.ours.sendto(b"too long for it", two.address)
			two.ours.sendto(b"", two.address)
			answer = two.theirs.ok("recv_msg", size=8)
			assert answer["data"] == b"too long" and answer.number("truncated") == 1
			answer = two.theirs.ok("recv_msg", size=8)
			assert answer["data"] == b"" and answer.number("truncated") == 0


@every_way
def case_broadcast(peer):
	"""To everybody on lo, from either side, and not without being allowed to."""
	everybody = "127.255.255.255"
	with python_socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
		ours.bind(("", 0))
		theirs = peer.open(socket.AF_INET, socket.SOCK_DGRAM)
		port = port_of(theirs.bind("0.0.0.0:0"))
		there = f"{everybody}:{ours.getsockname()[1]}"
		theirs.fails(errno.EACCES, "send", data=b"to all", to=there)
		theirs.set("broadcast", 1)
		theirs.send(b"to all", to=there)
		assert ours.recvfrom(100) == (b"to all", ("127.0.0.1", port))
		ours.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		theirs.ok("set_message_info", info="packet")
		ours.sendto(b"to all as well", (everybody, port))
		answer = theirs.ok("recv_msg", size=100)
		assert answer["data"] == b"to all as well" and answer["to"] == everybody + ":0", answer
		theirs.ok("close")


class Group:
	"""Python's socket and soq's, which hear only what they have joined, and what each does to a group."""

	def __init__(self, peer, family, group, interface):
		self.group, self.interface = group, interface
		self.six = family == socket.AF_INET6
		self.ours = python_socket(family, socket.SOCK_DGRAM)
		self.theirs = peer.open(family, socket.SOCK_DGRAM)
		self.theirs.set("multicast_all", 0)
		self.theirs.set("multicast_interface", interface)
		if self.six:
			self.ours.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
			self.ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
		else:
			self.ours.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
			self.ours.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
				self.membership("0.0.0.0", "127.0.0.1"))
		self.ours.bind(("::" if self.six else "", 0))
		self.port = self.ours.getsockname()[1]
		self.there = port_of(self.theirs.bind("[::]:0" if self.six else "0.0.0.0:0"))

	def membership(self, group, address="0.0.0.0"):
		if self.six:
			return socket.inet_pton(socket.AF_INET6, group) + struct.pack("i", self.interface)
		return socket.inet_aton(group) + socket.inet_aton(address) + struct.pack("i", self.interface)

	def text(self, port):
		scope = f"%{self.interface}" if self.group.startswith("ff02") else ""
		return f"[{self.group}{scope}]:{port}" if self.six else f"{self.group}:{port}"

	def soq_says(self, data, source):
		self.theirs.ok("send_msg", data=data, to=self.text(self.port), source=source, interface=self.interface)

	def python_says(self, data):
		scope = (0, self.interface) if self.six else ()
		self.ours.sendto(data, (self.group, self.there) + scope)


def group_is_heard(group, source):
	"""Each hears what it has joined, and nothing before; soq nothing more when it has left."""
	host = source.rsplit(":", 1)[0]
	group.soq_says(b"early", source)
	if group.six:
		group.ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group.membership(group.group))
	else:
		group.ours.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group.membership(group.group))
	group.soq_says(b"joined", source)
	data, sender = group.ours.recvfrom(100)
	assert data == b"joined" and sender[1] == group.there and sender[0] in host, (data, sender)

	group.python_says(b"early")
	group.theirs.ok("join", group=group.text(0), interface=group.interface)
	group.python_says(b"joined")
	answer = group.theirs.ok("recv_from", size=100)
	assert (answer["data"], answer["from"]) == (b"joined", f"{host}:{group.port}"), answer
	group.theirs.ok("leave", group=group.text(0), interface=group.interface)
	group.python_says(b"late")
	group.ours.sendto(b"direct", ("::1" if group.six else "127.0.0.1", group.there))
	assert group.theirs.recv(100) == b"direct"
	group.theirs.ok("close")
	group.ours.close()


def one_source_ipv4(peer, group):
	"""From 127.0.0.2 alone, either way."""
	with python_socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
		ours.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
		ours.bind(("", 0))
		ours.setsockopt(socket.IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, socket.inet_aton(group)
			+ socket.inet_aton("127.0.0.1") + socket.inet_aton("127.0.0.2"))
		theirs = peer.open(socket.AF_INET, socket.SOCK_DGRAM)
		theirs.set("multicast_all", 0)
		there = port_of(theirs.bind("0.0.0.0:0"))
		theirs.ok("join", group=f"{group}:0", source="127.0.0.2:0", interface=LO)
		for host, word in (("127.0.0.1", b"one"), ("127.0.0.2", b"two")):
			with python_socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
				sender.bind((host, 0))
				sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
					struct.pack("=4s4si", bytes(4), bytes(4), LO))
				sender.sendto(word, (group, there))
			sender = peer.open(socket.AF_INET, socket.SOCK_DGRAM)
			sender.bind(host + ":0")
			sender.set("multicast_interface", LO)
			sender.send(word, to=f"{group}:{ours.getsockname()[1]}")
			sender.ok("close")
		assert ours.recv(100) == b"two"
		assert theirs.recv(100) == b"two"
		theirs.ok("close")


@every_way
def case_multicast(peer):
	number = os.getpid()
	group = f"239.255.{number >> 8 & 255}.{number & 255}"
	group_is_heard(Group(peer, socket.AF_INET, group, LO), "127.0.0.1:0")
	one_source_ipv4(peer, f"232.255.{number >> 8 & 255}.{number & 255}")


def case_multicast6():
	"""IPv6 has no way to a group by lo, so on a link that ends in this machine as well."""
	alone("ip link add near type veth peer name far",
		"ip link set near addrgenmode none && ip link set far addrgenmode none",
		"ip link set far up && ip link set near up && ip address add fe80::1/64 dev near nodad")
	near = socket.if_nametoindex("near")
	for way in WAYS:
		with Peer(way) as peer:
			for group in ("ff02::4711", "ff05::4711"):
				group_is_heard(Group(peer, socket.AF_INET6, group, near), f"[fe80::1%{near}]:0")
