# SPDX-License-Identifier: MIT
"""What all cases share: soq's programs started and ended well, waits that end, visible skips."""
import contextlib
import functools
import hashlib
import os
import socket
import subprocess
import sys
import threading

BACKEND, SERVER, CLIENT, PEER = sys.argv[2:6]
ENVIRONMENT = dict(os.environ, SOQ_BACKEND=BACKEND)
BIG = 16 << 20
PATIENCE = 60
WAYS = ("sync", "async", "detached")
INET = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def skip(why):
	"""Nothing was tested here, and ctest is told so."""
	print("SKIPPED:", why)
	sys.exit(77)


def run(command, data=b""):
	return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, timeout=PATIENCE).stdout


def alone(*commands):
	"""Goes on as root of new user and network namespaces, whose one interface is lo, after these commands."""
	if "INTEROP_ALONE" not in os.environ:
		os.environ["PATH"] += ":/usr/sbin:/sbin"
		enter = ["unshare", "--user", "--map-root-user", "--net", "--"]
		tried = subprocess.run(enter + ["ip", "link", "set", "lo", "up"], stderr=subprocess.PIPE, check=False)
		if tried.returncode != 0:
			skip("no user and network namespaces on this machine: " + tried.stderr.decode())
		os.execvpe(enter[0], enter + [sys.executable] + sys.argv, dict(os.environ, INTEROP_ALONE="1"))
	for command in ("ip link set lo up",) + commands:
		run(["sh", "-e", "-c", command])


def within_patience(s):
	s.settimeout(PATIENCE)
	return s


def python_socket(family, kind=socket.SOCK_STREAM, protocol=0):
	return within_patience(socket.socket(family, kind, protocol))


def text(address, family=socket.AF_INET):
	"""An address of Python's as soq writes it."""
	if family == socket.AF_UNIX:
		return "unix:" + ("@" + address[1:].decode() if isinstance(address, bytes) else address)
	if family == socket.AF_INET6:
		return f"[{address[0]}]:{address[1]}"
	return f"{address[0]}:{address[1]}"


def port_of(endpoint):
	return int(endpoint.rsplit(":", 1)[1])


def received(s, size):
	"""So many bytes of a stream, in as many pieces as it likes."""
	whole = b""
	while len(whole) < size and (piece := s.recv(size - len(whole))):
		whole += piece
	return whole


class Answer(dict):
	"""What interop_peer says: a result, and what came with it."""

	def __init__(self, line):
		words = line.split()
		super().__init__(word.split("=", 1) for word in words[1:])
		self.result = int(words[0])
		if "data" in self and "," not in self["data"]:
			self["data"] = bytes.fromhex(self["data"])
		self.descriptors = [int(n) for n in self.pop("descriptors", "").split(",") if n]

	def number(self, key):
		return int(self[key])


class Theirs:
	"""A socket of interop_peer's."""

	def __init__(self, peer, place):
		self.peer, self.place = peer, place

	def begin(self, verb, **words):
		self.peer.begin(verb, socket=self.place, **words)

	def ask(self, verb, **words):
		return self.peer.ask(verb, socket=self.place, **words)

	def ok(self, verb, **words):
		return self.peer.ok(verb, socket=self.place, **words)

	def fails(self, error, verb, **words):
		answer = self.ask(verb, **words)
		assert answer.result == -error, (verb, words, answer.result, answer)

	def set(self, option, value):
		self.ok("set", option=option, value=value)

	def send(self, data, **words):
		"""Waits for the answer."""
		assert self.ok("send", data=data, **words).result == len(data)

	def recv(self, size, **words):
		return self.ok("recv", size=size, **words)["data"]

	def bind(self, at):
		return self.ok("bind", at=at)["at"]

	def accept(self):
		return Theirs(self.peer, self.ok("accept").result)


class Peer:
	"""interop_peer, which makes the calls it is told to, in one of the WAYS."""

	def __init__(self, way, pass_fds=()):
		self.process = subprocess.Popen([PEER, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
			env=ENVIRONMENT, pass_fds=pass_fds)
		self.pid = self.process.pid
		self.way = way
		hello = self.process.stdout.readline().decode().split()
		assert hello == [BACKEND, way], hello

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		self.process.stdin.close()
		if kind is not None:
			self.process.kill()
		status = self.process.wait(PATIENCE)
		self.process.stdout.close()
		assert kind is not None or status == 0, status

	def begin(self, verb, **words):
		"""Lets it begin, and does not wait for it: end() has the answer."""
		line = [verb]
		for key, value in words.items():
			line.append(f"{key}={value.hex() if isinstance(value, bytes) else value}")
		self.process.stdin.write(" ".join(line).encode() + b"\n")
		self.process.stdin.flush()

	def end(self):
		line = self.process.stdout.readline().decode()
		assert line.endswith("\n"), ("interop_peer has ended", line)
		return Answer(line)

	def ask(self, verb, **words):
		self.begin(verb, **words)
		return self.end()

	def ok(self, verb, **words):
		answer = self.ask(verb, **words)
		assert answer.result >= 0, (verb, words, answer.result, os.strerror(-answer.result))
		return answer

	def open(self, family, kind=socket.SOCK_STREAM, protocol=0):
		return Theirs(self, self.ok("open", family=int(family), type=int(kind), protocol=int(protocol)).result)

	def descriptors(self):
		return sorted(int(n) for n in os.listdir(f"/proc/{self.pid}/fd"))

	def file(self, descriptor):
		"""Which file a descriptor of it stands for."""
		found = os.stat(f"/proc/{self.pid}/fd/{descriptor}")
		return found.st_dev, found.st_ino


def every_way(case):
	"""Runs a case once for each of the WAYS, each with a peer of its own."""

	@functools.wraps(case)
	def runs():
		for way in WAYS:
			with Peer(way) as peer:
				case(peer)

	return runs


def pair(peer, family, soq_listens, protocol=0):
	"""A connection: soq's socket and Python's. Which of them listened does not show."""
	host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
	name = f"\0soq-interop-{os.getpid()}-{BACKEND}".encode()
	with python_socket(family, protocol=protocol) as listener:
		if soq_listens:
			listening = peer.open(family, protocol=protocol)
			at = listening.bind(text(name if family == socket.AF_UNIX else (host, 0), family))
			listening.ok("listen")
			ours = python_socket(family, protocol=protocol)
			ours.connect(name if family == socket.AF_UNIX else (host, port_of(at)))
			theirs = listening.accept()
			listening.ok("close")
			return theirs, ours
		listener.bind(name if family == socket.AF_UNIX else (host, 0))
		listener.listen()
		theirs = peer.open(family, protocol=protocol)
		theirs.ok("connect", to=text(listener.getsockname(), family))
		return theirs, within_patience(listener.accept()[0])


@contextlib.contextmanager
def server(kind, address="127.0.0.1:0", protocol=0):
	"""A soq server, and its port or unix path; it must end well when asked to."""
	with subprocess.Popen([SERVER, kind, address, str(protocol)], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
		try:
			backend, local = process.stdout.readline().decode().split()
			assert backend == BACKEND, backend
			yield local[5:] if local.startswith("unix:") else port_of(local)
		finally:
			process.terminate()
		assert process.wait(PATIENCE) == 0, process.returncode


def client(endpoint, size, protocol=0):
	"""A soq client, which sends and checks its echo."""
	subprocess.run([CLIENT, endpoint, str(size), str(protocol)], check=True, env=ENVIRONMENT, timeout=PATIENCE)


def receive_all(connection):
	digest, count = hashlib.sha256(), 0
	while piece := connection.recv(1 << 16):
		digest.update(piece)
		count += len(piece)
	return count, digest.digest()


def through_echo(address, data, family=socket.AF_INET, protocol=0):
	"""Sends and ends one side while the other still comes."""
	with python_socket(family, protocol=protocol) as connection:
		connection.connect(address)

		def send():
			connection.sendall(data)
			connection.shutdown(socket.SHUT_WR)

		sender = threading.Thread(target=send)
		sender.start()
		result = receive_all(connection)
		sender.join()
	assert result == (len(data), hashlib.sha256(data).digest()), result[0]


def echo_once(listener, outcome):
	connection, _ = listener.accept()
	with within_patience(connection):
		while piece := connection.recv(1 << 16):
			connection.sendall(piece)
	outcome.append("echoed")


def echo_to_client(listener, endpoint, size, protocol=0):
	"""One connection of soq's client, echoed by Python."""
	outcome = []
	thread = threading.Thread(target=echo_once, args=(listener, outcome))
	thread.start()
	client(endpoint, size, protocol)
	thread.join()
	assert outcome == ["echoed"]
