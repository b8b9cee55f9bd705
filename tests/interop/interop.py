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
import tempfile
import threading

CASE, BACKEND, SERVER, CLIENT = sys.argv[1:5]
ENVIRONMENT = dict(os.environ, SOQ_BACKEND=BACKEND)
BIG = 16 << 20
PATIENCE = 60


@contextlib.contextmanager
def server(kind, address="127.0.0.1:0"):
	"""A soq server, and its port or unix path; it must end well when asked to."""
	with subprocess.Popen([SERVER, kind, address], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
		try:
			backend, local = process.stdout.readline().decode().split()
			assert backend == BACKEND, backend
			yield local[5:] if local.startswith("unix:") else int(local.rsplit(":", 1)[1])
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


def datagrams_through(port, family, address, sizes):
	"""Each comes back whole, from the server, in order."""
	with socket.socket(family, socket.SOCK_DGRAM) as us:
		us.settimeout(PATIENCE)
		us.bind(address)
		for size in sizes:
			data = os.urandom(size)
			us.sendto(data, port)
			answer, peer = us.recvfrom(1 << 16)
			assert answer == data, (size, len(answer))
			assert peer[:2] == port[:2] or peer == port, peer


def case_datagrams():
	for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
		text = f"[{host}]:0" if family == socket.AF_INET6 else f"{host}:0"
		with server("datagrams", text) as port:
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


def echoed(connection, data):
	connection.sendall(data)
	return connection.recv(len(data), socket.MSG_WAITALL) == data


def case_unix():
	data = os.urandom(BIG)
	with tempfile.TemporaryDirectory() as folder:
		with server("echo", f"unix:{folder}/s") as path:
			assert run(["socat", "-t", str(PATIENCE), "-", f"UNIX-CONNECT:{path}"], data) == data
		assert not os.path.exists(path)
		with server("packets", f"unix:{folder}/p") as path:
			with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as us:
				us.settimeout(PATIENCE)
				us.connect(path)
				for size in (1, 30000, 2):
					us.send(b"x" * size)
					assert us.recv(1 << 16) == b"x" * size
		with socket.socket(socket.AF_UNIX) as listener:
			listener.bind(folder + "/python")
			listener.listen()
			listener.settimeout(PATIENCE)
			# The client sends synchronously: what is under way has to fit into small buffers.
			for size in (0, 1, 100000):
				outcome = []
				thread = threading.Thread(target=echo_once, args=(listener, outcome))
				thread.start()
				subprocess.run([CLIENT, f"unix:{folder}/python", str(size)], check=True, env=ENVIRONMENT,
					timeout=PATIENCE)
				thread.join()
				assert outcome == ["echoed"]
	name = f"soq-interop-{os.getpid()}-{BACKEND}"
	with server("echo", f"unix:@{name}"):
		with socket.socket(socket.AF_UNIX) as us:
			us.settimeout(PATIENCE)
			us.connect("\0" + name)
			assert echoed(us, b"through an abstract name")


globals()["case_" + CASE]()
