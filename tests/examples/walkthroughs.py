#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples that are servers and clients, with each other: walkthroughs.py CASE FOLDER [detached].

FOLDER has the programs, as example_NAME. With `detached` those run without a loop that can.
"""
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

CASE, FOLDER = sys.argv[1:3]
DETACHED = sys.argv[3:]
PATIENCE = 60
TEXT = "This is a test<EOF>"


def command(name, *arguments):
	return [os.path.join(FOLDER, "example_" + name), *arguments]


class Server:
	"""A program that says where it is; `lines` is what it says after that."""

	def __init__(self, name, *arguments):
		self.process = subprocess.Popen(command(name, *arguments), stdout=subprocess.PIPE)
		first = self.process.stdout.readline().decode()
		assert first.startswith(name + " on "), first
		self.text = first.split(" on ")[1].strip()

	@property
	def address(self):
		host, port = self.text.rsplit(":", 1)
		return host, int(port)

	def line(self):
		return self.process.stdout.readline().decode().rstrip("\n")

	def ended(self):
		"""One that ends by itself: the rest of its lines."""
		lines = self.process.stdout.read().decode().splitlines()
		assert self.process.wait(PATIENCE) == 0, self.process.returncode
		return lines


@contextlib.contextmanager
def served(name, *arguments, end=0):
	server = Server(name, *arguments)
	try:
		yield server
	finally:
		server.process.terminate()
		server.process.stdout.read() # what it says at its end
		server.process.stdout.close()
		status = server.process.wait(PATIENCE)
	assert status == end, status


def run(name, *arguments, status=0):
	"""Runs a client; returns what it says."""
	done = subprocess.run(command(name, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
		timeout=PATIENCE, check=False)
	output = done.stdout.decode()
	assert done.returncode == status, (name, done.returncode, output)
	return output


def ask(address, *pieces):
	"""A client of Python's: sends pieces, and returns everything until the end."""
	with socket.create_connection(address, PATIENCE) as connection:
		for piece in pieces:
			connection.sendall(piece)
		return read_all(connection)


def read_all(connection):
	pieces = []
	while piece := connection.recv(4096):
		pieces.append(piece)
	return b"".join(pieces)


def sync():
	"""The synchronous server, with each client; and the three classes of errors."""
	with served("server_sync", "127.0.0.1:0", *DETACHED, end=-signal.SIGTERM) as server:
		for _ in range(2):
			said = run("client_sync", server.text, TEXT, *DETACHED)
			assert said == "Echoed text = %s\n" % TEXT, said
			assert server.line() == "Text received : " + TEXT
		assert "Response received : " + TEXT in run("client_async", server.text, TEXT)
		server.line()
		assert ask(server.address, b"x" * 3000, b"<E", b"OF>") == b"x" * 3000 + b"<EOF>"
		server.line()
		# One that leaves early is no harm to the next; nor is a second server on its address.
		ask_nothing(server.address)
		assert "already in use" in run("server_sync", server.text, *DETACHED, status=1)
		run("client_sync", server.text, TEXT, *DETACHED)
	assert "mistake" in run("client_sync", "not an address", TEXT, *DETACHED, status=2)
	# Bound, so that nobody else has it, and not listening. The server's own address will not do:
	# the kernel ends the ring of a process that was killed a little after the process.
	with socket.socket() as silent:
		silent.bind(("127.0.0.1", 0))
		address = "127.0.0.1:%d" % silent.getsockname()[1]
		said = run("client_sync", address, TEXT, *DETACHED, status=3)
		assert "ECONNREFUSED, in .NET ConnectionRefused" in said, said
		assert "refused" in run("client_async", address, TEXT, status=1)


def ask_nothing(address):
	with socket.create_connection(address, PATIENCE) as connection:
		connection.sendall(b"no end")


def asynchronous():
	"""Many clients of the asynchronous server, all open at once; it ends with some still there."""
	with served("server_async", "127.0.0.1:0") as server:
		connections = [socket.create_connection(server.address, PATIENCE) for _ in range(30)]
		for i, connection in enumerate(connections):
			connection.sendall(b"client %d<EO" % i)
		said = run("client_async", server.text, TEXT)
		assert said == "Sent %d bytes to server.\nResponse received : %s\n" % (len(TEXT), TEXT), said
		assert server.line() == "Read %d bytes from socket. Data : %s" % (len(TEXT), TEXT)
		assert server.line() == "Sent %d bytes to client." % len(TEXT)
		for i, connection in reversed(list(enumerate(connections[:20]))):
			connection.sendall(b"F>")
			assert read_all(connection) == b"client %d<EOF>" % i
			connection.close()
		run("client_sync", server.text, TEXT, *DETACHED)
		ask_nothing(server.address)
	for connection in connections:
		connection.close()


def records():
	"""As many at once as there are records, one more waits, and each is used again."""
	with served("records", "127.0.0.1:0") as server:
		for _ in range(3):
			connections = [socket.create_connection(server.address, PATIENCE) for _ in range(16)]
			for i, connection in enumerate(connections):
				connection.sendall(b"%d" % i)
			for i, connection in enumerate(connections):
				assert connection.recv(16) == b"%d" % i
				connection.close()


def eom():
	server = Server("eom_server", "127.0.0.1:0")
	said = run("eom_client", server.text)
	assert said.endswith('received acknowledgment: "<|ACK|>"\n'), said
	lines = server.ended()
	assert lines == ['Socket server received message: "Hi friends \U0001f44b!"',
		'Socket server sent acknowledgment: "<|ACK|>"'], lines


def fetch():
	with served("http") as server:
		host, port = server.address
		said = run("fetch", host, str(port), *DETACHED).splitlines()
		assert said[0] == server.text + ": ok" and said[1] == "HTTP/1.1 200 OK", said
		# A name: by whichever of its addresses answers.
		assert "HTTP/1.1 200 OK" in run("fetch", "localhost", str(port), *DETACHED).splitlines()
	# What is no name is refused, and not looked up.
	assert run("fetch", "no..name", "1", *DETACHED, status=1).startswith("no..name: ")


def time():
	server = Server("time_server", "127.0.0.1:0", "2")
	said = run("time_client", server.text, *DETACHED)
	assert said.startswith('Message received: "') and said.endswith('-UTC"\n'), said
	assert ask(server.address).endswith(b"-UTC\r\n")
	assert server.ended() == []


def udp():
	with served("udp_listener", "0.0.0.0:0", *DETACHED, end=-signal.SIGTERM) as server:
		port = server.address[1]
		said = run("udp_sender", "127.255.255.255:%d" % port, "hello, all", *DETACHED)
		assert said.startswith("Not without SOQ_OPTION_BROADCAST: permission denied\n"), said
		line = server.line()
		assert line.startswith("Received broadcast from 127.") and line.endswith(" : hello, all"), line
		run("udp_sender", "127.0.0.1:%d" % port, "x" * 2000, *DETACHED)
		assert server.line() == "Received a datagram above 1500 bytes"


def select():
	with served("select", "127.0.0.1:0", *DETACHED, end=-signal.SIGTERM) as server:
		connections = [socket.create_connection(server.address, PATIENCE) for _ in range(64)]
		for turn in range(3): # the last of them waits until another leaves
			for i, connection in enumerate(connections[:63]):
				connection.sendall(b"%d.%d" % (turn, i))
			for i, connection in enumerate(connections[:63]):
				assert connection.recv(16) == b"%d.%d" % (turn, i)
			connections.pop(0).close()
			connections.append(socket.create_connection(server.address, PATIENCE))
		for connection in connections:
			connection.close()


def unix():
	with tempfile.TemporaryDirectory() as folder:
		path = os.path.join(folder, "echo")
		server = Server("unix_echo", "server", path, *DETACHED)
		assert os.path.exists(path)
		assert "already in use" in run("unix_echo", "server", path, *DETACHED, status=1)
		assert run("unix_echo", "client", path, *DETACHED) == "Echoed text = hello over a path\n"
		assert server.ended() == []
		assert not os.path.exists(path)


class Talker:
	"""One in the chat, who is in it when this returns."""

	def __init__(self, server, receive_bytes=None):
		self.connection = socket.socket()
		self.connection.settimeout(PATIENCE)
		if receive_bytes is not None:
			self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
		self.connection.connect(server.address)
		self.file = self.connection.makefile("rb")
		self.number = int(self.file.readline().split()[0])

	def hear(self):
		"""The next line; that those are here who came before it may be told late."""
		while line := self.file.readline().decode().rstrip("\n"):
			if not line.endswith(" is here") or int(line.split()[0]) > self.number:
				break
		return line

	def say(self, text):
		self.connection.sendall(text.encode() + b"\n")

	def go(self):
		self.file.close()
		self.connection.close()


def arrive(server, count):
	"""Each hears those that come after it."""
	talkers = []
	for _ in range(count):
		talkers.append(Talker(server))
		for talker in talkers[:-1]:
			assert talker.hear() == "%d is here" % talkers[-1].number
	return talkers


def chat_lines(talkers):
	"""Everybody speaks at once: each hears all others, each of them in order, and not itself."""
	lines = 20
	for i in range(lines):
		for talker in talkers:
			talker.say("line %d\0" % i)
	for talker in talkers:
		heard = {}
		for _ in range(lines * (len(talkers) - 1)):
			number, text = talker.hear().split(": ")
			heard.setdefault(int(number), []).append(text)
		assert heard == {other.number: ["line %d\0" % i for i in range(lines)]
			for other in talkers if other is not talker}, heard


def chat_leave(talkers, how):
	"""One leaves somehow: all that stay are told once, and nothing else."""
	gone = talkers.pop(0)
	how(gone)
	for talker in talkers:
		assert talker.hear() == "%d has left" % gone.number
	gone.go()


def reset(talker):
	talker.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	talker.go()


def chat_slow(server, talkers):
	"""One that does not read has to leave, and holds nobody up."""
	slow = Talker(server, 4096)
	for talker in talkers:
		assert talker.hear() == "%d is here" % slow.number
	told = set()
	while len(told) < len(talkers):
		talkers[0].say("x" * 1000)
		for talker in talkers[1:]:
			heard = talker.hear()
			while heard == "%d has left" % slow.number:
				told.add(talker)
				heard = talker.hear()
			assert heard == "%d: %s" % (talkers[0].number, "x" * 1000), heard
		if len(told) == len(talkers) - 1:
			assert talkers[0].hear() == "%d has left" % slow.number
			told.add(talkers[0])
	slow.go()


def chat():
	with served("chat", "127.0.0.1:0", "4") as server:
		talkers = arrive(server, 12)
		chat_lines(talkers)
		chat_leave(talkers, Talker.go)
		chat_leave(talkers, reset)
		chat_leave(talkers, lambda talker: talker.connection.sendall(b"no end of line") or talker.go())
		chat_leave(talkers, lambda talker: talker.say("y" * 2000))
		chat_slow(server, talkers)
		chat_lines(talkers)
		server.process.terminate()
		for talker in talkers:
			with contextlib.suppress(ConnectionResetError):
				while heard := talker.hear():
					assert heard.endswith(" has left"), heard
			talker.go()


{"sync": sync, "async": asynchronous, "records": records, "eom": eom, "fetch": fetch, "time": time,
	"udp": udp, "select": select, "unix": unix, "chat": chat}[CASE]()
