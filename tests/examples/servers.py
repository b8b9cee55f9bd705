#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo.c, proxy.c and relay.c with clients of Python's: servers.py echo|proxy|relay ECHO PROXY."""
import contextlib
import hashlib
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading

CASE, ECHO, PROXY = sys.argv[1:4]
PATIENCE = 60
AT_ONCE = 64  # what both serve at once
MIB = 1 << 20
connections_made = 0


class Server:
	"""A server under test; it must end well, and says how often it has allocated."""

	def __init__(self, *command):
		self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
		self.text = self.process.stdout.readline().decode().split()[-1]
		host, port = self.text.rsplit(":", 1)
		self.address = (host, int(port))
		self.allocations = None

	def end(self):
		self.process.terminate()
		output = self.process.stdout.read().decode()
		assert self.process.wait(PATIENCE) == 0, self.process.returncode
		assert output.startswith("allocations: "), output
		self.allocations = int(output.split()[1])


@contextlib.contextmanager
def served():
	"""The address to talk to, and what has run there once it is over."""
	servers = [Server(ECHO, "127.0.0.1:0")]
	try:
		if CASE != "echo":
			servers.insert(0, Server(PROXY, "127.0.0.1:0", servers[0].text))
		yield servers
	finally:
		for server in servers:
			server.end()


def connect(address):
	global connections_made
	connections_made += 1
	return socket.create_connection(address, PATIENCE)


def receive(connection, size):
	"""Just so many bytes."""
	pieces = []
	while size > 0:
		piece = connection.recv(min(size, 1 << 16))
		assert piece, "the end came early"
		pieces.append(piece)
		size -= len(piece)
	return b"".join(pieces)


def half_close(address, data):
	"""Sends, ends that side, and only then reads everything back, and the end."""
	with connect(address) as connection:
		connection.sendall(data)
		connection.shutdown(socket.SHUT_WR)
		assert receive(connection, len(data)) == data
		assert connection.recv(1) == b""


def both_ways(address, data):
	"""Sends while it reads: more than fits on the way."""
	with connect(address) as connection:
		sender = threading.Thread(target=connection.sendall, args=(data,))
		sender.start()
		assert hashlib.sha256(receive(connection, len(data))).digest() == hashlib.sha256(data).digest()
		sender.join()
		connection.shutdown(socket.SHUT_WR)
		assert connection.recv(1) == b""


def all_at_once(address):
	"""As many as are served: each is answered while all are open. One more waits its turn."""
	connections = [connect(address) for _ in range(AT_ONCE)]
	for turn in range(3):
		for i, connection in enumerate(connections):
			connection.sendall(b"%d.%d" % (turn, i) * 100)
		for i, connection in enumerate(connections):
			data = b"%d.%d" % (turn, i) * 100
			assert receive(connection, len(data)) == data
	with connect(address) as late:
		late.sendall(b"late")
		assert not select.select([late], [], [], 0.05)[0]
		connections.pop().close()
		assert receive(late, 4) == b"late"
	for connection in connections:
		connection.close()


def reset(address):
	"""Leaves by a reset with bytes on the way in both directions."""
	with connect(address) as rude:
		rude.sendall(os.urandom(random.randrange(1, 100000)))
		rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def send_until_stuck(connection):
	"""Sends until nothing has moved for a while, and returns how much that was."""
	piece, sent = bytes(1 << 16), 0
	while select.select([], [connection], [], 0.5)[1]:
		sent += connection.send(piece, socket.MSG_DONTWAIT)
	return sent


def slow_reader(address):
	"""
	What a reader does not take stops its own sender, after what sockets hold on the way
	and the bufs on loan, and nobody else. Then all of it comes, in order.
	"""
	with connect(address) as slow:
		sent = send_until_stuck(slow)
		assert sent < 256 * MIB, sent
		half_close(address, b"beside the slow one")
		slow.shutdown(socket.SHUT_WR)
		assert receive(slow, sent) == bytes(sent)
		assert slow.recv(1) == b""


def refused():
	"""A target that is not there: a reset, not an end. Its port is held, so that nobody takes it."""
	with socket.socket() as silent:
		silent.bind(("127.0.0.1", 0))
		server = Server(PROXY, "127.0.0.1:0", "127.0.0.1:%d" % silent.getsockname()[1])
		try:
			for _ in range(3):
				with contextlib.suppress(ConnectionResetError), connect(server.address) as connection:
					connection.recv(1)
					raise AssertionError("the end of a stream that never was")
		finally:
			server.end()


def load(address):
	for size in (0, 1, 16384, 65537, 100000):
		half_close(address, os.urandom(size))
	both_ways(address, os.urandom(8 * MIB))
	threads = [threading.Thread(target=both_ways, args=(address, os.urandom(MIB))) for _ in range(8)]
	for thread in threads:
		thread.start()
	for _ in range(40):
		reset(address)
	for thread in threads:
		thread.join()
	slow_reader(address)
	all_at_once(address)


def main():
	global connections_made
	with served() as light:
		all_at_once(light[0].address)
	connections_made = 0
	with served() as heavy:
		all_at_once(heavy[0].address)
		load(heavy[0].address)
	# Nothing per byte, message or client, but for the table of sockets: a debug build gives no
	# place in it twice, and it grows by 64.
	sockets = connections_made * (1 if CASE == "echo" else 2)
	grown = heavy[0].allocations - light[0].allocations
	# A relay has an op's memory of its own.
	most = sockets // 64 + 1 + (sockets if CASE == "relay" else 0)
	assert 0 <= grown <= most, (grown, sockets)
	if CASE != "echo":
		refused()


main()
