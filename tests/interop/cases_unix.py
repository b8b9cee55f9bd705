# SPDX-License-Identifier: MIT
"""Unix sockets: echoes, descriptors passed, credentials told."""
import contextlib
import errno
import os
import resource
import socket
import struct
import tempfile

from talk import (BACKEND, BIG, PATIENCE, WAYS, Peer, Theirs, echo_to_client, every_way, pair, python_socket, received,
	run, server, text, within_patience)

DESCRIPTORS_MAX = 253
KINDS = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM)
CLOSE_ON_EXEC = 0o2000000
SCM_CREDENTIALS = 2


def case_unix():
	data = os.urandom(BIG)
	with tempfile.TemporaryDirectory() as folder:
		with server("echo", f"unix:{folder}/s") as path:
			assert run(["socat", "-t", str(PATIENCE), "-", f"UNIX-CONNECT:{path}"], data) == data
		assert not os.path.exists(path)
		with server("packets", f"unix:{folder}/p") as path:
			with python_socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as us:
				us.connect(path)
				for size in (1, 30000, 2):
					us.send(b"x" * size)
					assert us.recv(1 << 16) == b"x" * size
		with python_socket(socket.AF_UNIX) as listener:
			listener.bind(folder + "/python")
			listener.listen()
			for size in (0, 1, 100000):
				echo_to_client(listener, f"unix:{folder}/python", size)
	name = f"soq-interop-{os.getpid()}-{BACKEND}"
	with server("echo", f"unix:@{name}"):
		with python_socket(socket.AF_UNIX) as us:
			us.connect("\0" + name)
			us.sendall(b"through an abstract name")
			assert received(us, 24) == b"through an abstract name"


class Talk:
	"""interop_peer and Python at the two ends of a socket pair, and files that both have."""

	def __init__(self, way, kind):
		ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
		self.ours = within_patience(ours)
		self.files = [os.memfd_create(f"file {n}") for n in range(5)]
		for n, file in enumerate(self.files):
			os.write(file, b"from python %d" % n)
		# The numbers are the same over there.
		with theirs:
			self.peer = Peer(way, pass_fds=[theirs.fileno()] + self.files)
			self.theirs = Theirs(self.peer, self.peer.ok("adopt", descriptor=theirs.fileno()).result)
		self.before = self.peer.descriptors()

	def __enter__(self):
		self.peer.__enter__()
		return self

	def __exit__(self, *why):
		self.peer.__exit__(*why)
		self.ours.close()
		for file in self.files:
			os.close(file)

	def nothing_is_left(self):
		assert self.peer.descriptors() == self.before


def identity(file):
	found = os.fstat(file)
	return found.st_dev, found.st_ino


def hands_to_soq(talk, count, room, flags=None):
	"""Python sends descriptors, soq takes as many as it has room for; all are closed in the end."""
	sent = (talk.files * count)[:count]
	socket.send_fds(talk.ours, [b"with ", b"files"], sent)
	answer = talk.theirs.ok("recv_msg", size=100, room=room)
	assert answer["data"] == b"with files"
	taken = answer.descriptors
	assert len(taken) == min(count, room), (count, room, taken)
	assert answer.number("refused") == (count > room)
	assert answer.number("truncated") == 0
	assert sorted(talk.before + taken) == talk.peer.descriptors()
	for ours, descriptor in zip(sent, taken):
		assert talk.peer.file(descriptor) == identity(ours)
		with open(f"/proc/{talk.peer.pid}/fdinfo/{descriptor}", encoding="ascii") as info:
			words = dict(line.split(":", 1) for line in info if ":" in line)
		assert int(words["flags"], 8) & CLOSE_ON_EXEC
		talk.peer.ok("drop", descriptor=descriptor)
	talk.nothing_is_left()


def hands_to_python(talk, count, room):
	sent = (talk.files * count)[:count]
	talk.theirs.ok("send_msg", data=b"with files", descriptors=",".join(map(str, sent)))
	data, taken, flags, _ = socket.recv_fds(talk.ours, 100, room)
	assert data == b"with files"
	# The kernel pads the room to eight bytes, so there may be one more.
	assert min(count, room) <= len(taken) <= min(count, room + room % 2), (count, room, taken)
	assert bool(flags & socket.MSG_CTRUNC) == (count > len(taken))
	for file, descriptor in zip(sent, taken):
		assert identity(descriptor) == identity(file)
		os.close(descriptor)
	talk.nothing_is_left()


def other_receives_refuse(talk):
	"""None of them takes a descriptor, or leaves one open; peeking only says that some are there."""
	for verb in ("recv", "recv_from", "recv_msg"):
		socket.send_fds(talk.ours, [b"unasked"], talk.files)
		answer = talk.theirs.ok("recv_msg", size=100, flags="peek")
		assert answer["data"] == b"unasked" and answer.number("refused") == 1
		answer = talk.theirs.ok(verb, size=100)
		assert answer["data"] == b"unasked"
		assert verb != "recv_msg" or answer.number("refused") == 1
		talk.nothing_is_left()
	talk.ours.send(b"without")
	answer = talk.theirs.ok("recv_msg", size=100, room=5)
	assert answer["data"] == b"without" and answer.descriptors == [] and answer.number("refused") == 0


def one_by_one_on_a_stream(talk):
	"""No receive is given the descriptors of two sends, and bytes before them come alone or first."""
	for sender in ("python", "soq"):
		for n in range(3):
			if sender == "python":
				socket.send_fds(talk.ours, [b"abc"], [talk.files[n]])
			else:
				talk.theirs.ok("send_msg", data=b"abc", descriptors=talk.files[n])
		for n in range(3):
			if sender == "python":
				answer = talk.theirs.ok("recv_msg", size=100, room=5)
				assert answer["data"] == b"abc" and len(answer.descriptors) == 1, answer
				assert talk.peer.file(answer.descriptors[0]) == identity(talk.files[n])
				talk.peer.ok("drop", descriptor=answer.descriptors[0])
			else:
				data, taken, _, _ = socket.recv_fds(talk.ours, 100, 5)
				assert data == b"abc" and len(taken) == 1
				assert identity(taken[0]) == identity(talk.files[n])
				os.close(taken[0])
	talk.nothing_is_left()


def a_socket_changes_hands(talk):
	"""soq gives up a connection, Python uses it and gives it back, and soq goes on with it."""
	soqs, pythons = pair(talk.peer, socket.AF_INET, soq_listens=True)
	soqs.send(b"from soq, ")
	released = soqs.ok("release").result
	talk.theirs.ok("send_msg", data=b"!", descriptors=released)
	talk.peer.ok("drop", descriptor=released)
	_, (taken,), _, _ = socket.recv_fds(talk.ours, 1, 1)
	with pythons, socket.socket(fileno=taken) as carried:
		carried.sendall(b"from python, ")
		socket.send_fds(talk.ours, [b"!"], [taken])
		(back,) = talk.theirs.ok("recv_msg", size=1, room=1).descriptors
		soqs = Theirs(talk.peer, talk.peer.ok("adopt", descriptor=back).result)
		soqs.send(b"from soq")
		assert received(pythons, 31) == b"from soq, from python, from soq"
	soqs.ok("close")


def enough_descriptors():
	"""What is under way counts against the limit too."""
	_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
	resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


def case_descriptors():
	enough_descriptors()
	for way in WAYS:
		for kind in KINDS:
			with Talk(way, kind) as talk:
				for count, room in ((1, 1), (5, 5), (2, 8), (5, 3), (5, 2), (3, 1), (5, 0),
						(DESCRIPTORS_MAX, DESCRIPTORS_MAX), (DESCRIPTORS_MAX, 1)):
					hands_to_soq(talk, count, room)
					hands_to_python(talk, count, room)
				too_many = ",".join([str(talk.files[0])] * (DESCRIPTORS_MAX + 1))
				talk.theirs.fails(errno.EINVAL, "send_msg", data=b"x", descriptors=too_many)
				other_receives_refuse(talk)
				if kind == socket.SOCK_STREAM:
					one_by_one_on_a_stream(talk)
				a_socket_changes_hands(talk)


def credentials_to_python(theirs, ours, pid, size):
	"""What the kernel tells Python of soq's process; it may tell it with any receive."""
	data, about, flags, _ = ours.recvmsg(size, socket.CMSG_SPACE(12))
	assert flags & socket.MSG_CTRUNC == 0
	assert [(level, kind) for level, kind, _ in about] == [(socket.SOL_SOCKET, SCM_CREDENTIALS)]
	assert struct.unpack("3i", about[0][2]) == (pid, os.getuid(), os.getgid())
	return data


def expect_us(answer):
	assert (answer.number("pid"), answer.number("uid"), answer.number("gid")) == (os.getpid(), os.getuid(), os.getgid())


def case_credentials():
	me = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
	for way in WAYS:
		for kind in KINDS:
			with Talk(way, kind) as talk:
				theirs, ours, pid = talk.theirs, talk.ours, talk.peer.pid
				ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
				theirs.send(b"who am I")
				assert credentials_to_python(theirs, ours, pid, 100) == b"who am I"
				theirs.ok("set_message_info", info="credentials")
				ours.send(b"and I")
				answer = theirs.ok("recv_msg", size=100)
				assert answer["data"] == b"and I"
				expect_us(answer)
				# Said by the sender itself, and with a descriptor beside.
				ours.sendmsg([b"I say so"], [(socket.SOL_SOCKET, SCM_CREDENTIALS, me),
					(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", talk.files[0]))])
				answer = theirs.ok("recv_msg", size=100, room=1)
				assert answer["data"] == b"I say so"
				expect_us(answer)
				talk.peer.ok("drop", descriptor=answer.descriptors[0])
				talk.nothing_is_left()
	peer_credentials()


@every_way
def peer_credentials(peer):
	"""Who has connected to whom, either way round."""
	for soq_listens in (False, True):
		theirs, ours = pair(peer, socket.AF_UNIX, soq_listens)
		with contextlib.closing(ours):
			expect_us(theirs.ok("peer_credentials"))
			found = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
			assert struct.unpack("3i", found) == (peer.pid, os.getuid(), os.getgid())
		theirs.ok("close")
