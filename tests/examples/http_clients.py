#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http.c with curl and with clients that are not as kind: http_clients.py HTTP."""
import contextlib
import re
import select
import socket
import struct
import subprocess
import sys
import time

HTTP = sys.argv[1]
PATIENCE = 60
SHORT = 0.15  # the server's patience where that is what is tested
HOST = b"Host: x\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
CLOSE = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
ANSWER = re.compile(
	rb"HTTP/1\.1 (\d+) ([^\r\n]+)\r\nServer: soq\r\n"
	rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Type: text/plain\r\n"
	rb"Content-Length: (\d+)\r\n(?:Allow: GET, HEAD\r\n)?Connection: (keep-alive|close)\r\n\r\n")
connections_made = 0


class Server:
	"""The server; it must end well, with clients or without, and says how often it has allocated."""

	def __init__(self, *arguments):
		self.process = subprocess.Popen((HTTP, *arguments, "127.0.0.1:0"), stdout=subprocess.PIPE)
		self.text = self.process.stdout.readline().decode().split()[-1]
		host, port = self.text.rsplit(":", 1)
		self.address = (host, int(port))

	def end(self):
		# ThreadSanitizer puts signals off, and may sleep over the one that came last.
		while self.process.poll() is None:
			self.process.terminate()
			with contextlib.suppress(subprocess.TimeoutExpired):
				self.process.wait(10)
		assert self.process.returncode == 0, self.process.returncode
		return int(self.process.stdout.read().split(b"allocations: ")[1])


def connect(server):
	global connections_made
	connections_made += 1
	connection = socket.create_connection(server.address, PATIENCE)
	connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	return connection


class Answers:
	"""What comes on a connection, answer by answer."""

	def __init__(self, connection):
		self.connection, self.data = connection, b""

	def more(self):
		data = self.connection.recv(1 << 16)
		self.data += data
		return data

	def next(self, head=False):
		"""The status of the next one, and whether it is the last: then the end must follow."""
		while not (match := ANSWER.match(self.data)):
			assert self.more(), self.data
		status, reason, length, last = match.groups()
		text = (b"Hello, world!" if status == b"200" else reason) if not head else b""
		while len(self.data) < match.end() + len(text):
			assert self.more(), self.data
		assert head or len(text) == int(length)
		assert self.data[match.end():].startswith(text), self.data
		self.data = self.data[match.end() + len(text):]
		if last == b"close":
			assert self.data == b"" and self.more() == b""
		return int(status), last == b"close"


def ask(server, *pieces):
	with connect(server) as connection:
		for piece in pieces:
			connection.sendall(piece)
		return Answers(connection).next()


def curl(server, *arguments):
	done = subprocess.run(("curl", "-sS", "--noproxy", "*", "-m", "20", *arguments),
		stdout=subprocess.PIPE, check=True)
	return done.stdout.decode().replace("\r", "")


def with_curl(server):
	global connections_made
	url = f"http://{server.text}/"
	says = ("-w", " %{http_code} %{num_connects}\n")
	assert curl(server, *says, url, url) == "Hello, world! 200 1\nHello, world! 200 0\n"
	assert curl(server, "-I", *says, url, url).count("200 OK") == 2
	assert curl(server, "-0", *says, url) == "Hello, world! 200 1\n"
	assert curl(server, *says, url + "no", url) == "Not Found 404 1\nHello, world! 200 0\n"
	assert curl(server, *says, "-d", "x" * 1000, url, url) == "Method Not Allowed 405 1\nMethod Not Allowed 405 0\n"
	assert curl(server, *says, "-d", "x" * 100000, url) == "Content Too Large 413 1\n"
	connections_made += 6


def pipelined(server):
	"""More than fit one answer's room, or the server's memory for them, and the end at once."""
	pieces = [(GET, 200), (b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", 200),
		(b"GET /no HTTP/1.1\r\n" + HOST + b"\r\n", 404),
		(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n" + b"\n" * 5000, 405)]
	with connect(server) as connection:
		connection.sendall(b"".join(piece for piece, _ in pieces) * 100)
		connection.shutdown(socket.SHUT_WR)
		answers = Answers(connection)
		for _ in range(100):
			for piece, status in pieces:
				assert answers.next(piece.startswith(b"HEAD")) == (status, False)
		assert answers.data == b"" and answers.more() == b""
	with connect(server) as connection:
		connection.sendall(GET + CLOSE + GET)  # what is asked for after the last is not answered
		answers = Answers(connection)
		assert [answers.next() for _ in range(2)] == [(200, False), (200, True)]


def split(server):
	with connect(server) as connection:
		answers = Answers(connection)
		for cut in range(len(GET) + 1):
			connection.sendall(GET[:cut])
			connection.sendall(GET[cut:])
			assert answers.next() == (200, False)
		for i in range(2 * len(GET)):
			connection.sendall(GET[i % len(GET):][:1])
		assert [answers.next() for _ in range(2)] == [(200, False)] * 2


def refused(server):
	"""Each answer arrives, though more was sent than is read, and then the end."""
	first, more = b"GET / HTTP/1.1\r\n", b"x" * 100000
	for text, status in (
			(b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01" + more, 400),
			(first + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + more, 400),
			(first + HOST + b"Content-Length: 100000\r\n\r\n" + more, 413),
			(b"GET /" + more, 414), (first + HOST + b"Expect: 100-continue\r\n", 417),
			(first + HOST + b"A: " + more, 431), (first + b"A: b\r\n" * 101, 431),
			(first + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + more, 501),
			(b"GET / HTTP/2.0\r\n" + more, 505)):
		assert ask(server, text) == (status, True), (text[:100], status)
		assert ask(server, GET, text) == (200, False)
	assert ask(server, b"GET / HTTP/1.0\r\n\r\n") == (200, True)


def many(server):
	"""At once, each in turn, among those who leave by a reset or in the middle."""
	connections = [connect(server) for _ in range(200)]
	for _ in range(2):
		for connection in connections:
			connection.sendall(GET)
		for connection in connections:
			assert Answers(connection).next() == (200, False)
	for i, connection in enumerate(connections):
		if i % 2:
			connection.sendall(GET[:i % 20] if i % 4 == 1 else GET * 50)
			connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", i % 3 == 0, 0))
		connection.close()
	assert ask(server, GET) == (200, False)


def rest(connection):
	"""All that comes; the server is patient with those who do not leave for as short a time."""
	data = b""
	connection.settimeout(PATIENCE)
	with contextlib.suppress(ConnectionResetError):
		while piece := connection.recv(1 << 16):
			data += piece
	return data


def slow(server):
	"""Nobody holds a place for longer than the server's patience, whatever he does."""
	began = time.monotonic()
	with connect(server) as idle, connect(server) as late, connect(server) as cut, \
			connect(server) as greedy:
		late.sendall(GET + GET[:10])
		cut.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nab")
		greedy.settimeout(0)
		with contextlib.suppress(BlockingIOError):
			while True:
				greedy.send(GET * 1000)
		trickle = Answers(late)
		assert trickle.next() == (200, False)
		late.settimeout(SHORT / 20)
		while b"close" not in trickle.data:  # a byte now and then gains nothing
			with contextlib.suppress(TimeoutError, ConnectionError):
				late.send(b"x")
				trickle.more()
		assert SHORT / 2 <= time.monotonic() - began  # nor was he cut off at once
		assert trickle.data.startswith(b"HTTP/1.1 408 Request Timeout") and rest(late) == b""
		assert rest(cut).startswith(b"HTTP/1.1 408 Request Timeout")
		assert rest(idle) == b""
		broken = select.poll()
		broken.register(greedy, 0)
		assert broken.poll(PATIENCE * 1000)  # by the server: nothing was read here
		assert rest(greedy).startswith(b"HTTP/1.1 200 OK")
	assert time.monotonic() - began < PATIENCE / 2


def load(server):
	with_curl(server)
	pipelined(server)
	split(server)
	refused(server)
	many(server)


def main():
	global connections_made
	server = Server()
	many(server)
	light = server.end()
	connections_made = 0
	server = Server()
	many(server)
	load(server)
	with connect(server), connect(server) as begun:
		begun.sendall(GET[:-1])
		grown = server.end() - light
	# The table of sockets alone: a debug build gives no place in it twice, and it grows by 64.
	assert 0 <= grown <= connections_made // 64 + 1, (grown, connections_made)
	server = Server("-t", str(SHORT))
	slow(server)
	server.end()


main()
