#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other people's programs against soq: interop.py CASE BACKEND SERVER CLIENT."""
import contextlib
import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading

CASE, BACKEND, SERVER, CLIENT = sys.argv[1:5]
ENVIRONMENT = dict(os.environ, SOQ_BACKEND=BACKEND)
BIG = 16 << 20
PATIENCE = 60


@contextlib.contextmanager
def server(kind, address="127.0.0.1:0"):
	"""A soq server and its port; it must end well when asked to."""
	with subprocess.Popen([SERVER, kind, address], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
		try:
			backend, port = process.stdout.readline().split()
			assert backend.decode() == BACKEND, backend
			yield int(port)
		finally:
			process.terminate()
		assert process.wait(PATIENCE) == 0, process.returncode


def run(command, data=b""):
	return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, timeout=PATIENCE).stdout


def receive_all(connection):
	digest, count = hashlib.sha256(), 0
	while piece := connection.recv(1 << 16):
		digest.update(piece)
		count += len(piece)
	return count, digest.digest()


def through_echo(port, data, family=socket.AF_INET):
	"""Sends and ends one side while the other still comes."""
	host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
	with socket.socket(family) as connection:
		connection.settimeout(PATIENCE)
		connection.connect((host, port))

		def send():
			connection.sendall(data)
			connection.shutdown(socket.SHUT_WR)

		sender = threading.Thread(target=send)
		sender.start()
		result = receive_all(connection)
		sender.join()
	assert result == (len(data), hashlib.sha256(data).digest()), result[0]


def case_curl():
	with server("http") as port:
		url = f"http://127.0.0.1:{port}/"
		assert run(["curl", "-sS", "--noproxy", "*", url]) == b"hello from soq\n"
		many = run(["curl", "-sS", "--noproxy", "*"] + [url] * 50)
		assert many == b"hello from soq\n" * 50


def case_socat():
	data = os.urandom(BIG)
	with server("echo") as port:
		there = f"TCP4:127.0.0.1:{port}"
		assert run(["socat", "-t", str(PATIENCE), "-", there], b"one line\n") == b"one line\n"
		assert run(["socat", "-t", str(PATIENCE), "-", there], data) == data
	with server("http") as port:
		answer = run(["socat", "-t", str(PATIENCE), "-", f"TCP4:127.0.0.1:{port}"], b"GET / HTTP/1.0\r\n\r\n")
		assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nhello from soq\n")


def case_python_client():
	with server("echo") as port:
		for size in (0, 1, 65537, BIG):
			through_echo(port, os.urandom(size))
		with socket.create_connection(("127.0.0.1", port)) as rude:
			rude.sendall(b"x" * 100000)
			rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		with socket.create_connection(("127.0.0.1", port)):
			through_echo(port, b"after a reset, beside a silent one")
	with server("echo", "[::1]:0") as port:
		through_echo(port, os.urandom(BIG), socket.AF_INET6)


def echo_once(listener, outcome):
	connection, _ = listener.accept()
	with connection:
		connection.settimeout(PATIENCE)
		while piece := connection.recv(1 << 16):
			connection.sendall(piece)
	outcome.append("echoed")


def case_python_server():
	for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
		with socket.create_server((host, 0), family=family) as listener:
			listener.settimeout(PATIENCE)
			port = listener.getsockname()[1]
			text = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
			for size in (0, 1, BIG):
				outcome = []
				thread = threading.Thread(target=echo_once, args=(listener, outcome))
				thread.start()
				subprocess.run([CLIENT, text, str(size)], check=True, env=ENVIRONMENT, timeout=PATIENCE)
				thread.join()
				assert outcome == ["echoed"]


globals()["case_" + CASE]()
