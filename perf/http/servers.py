# SPDX-License-Identifier: MIT
"""The servers: started on a free port, asked for the same bytes, ended."""
import os
import re
import socket
import subprocess
import sys
import time

PATIENCE = 20
REQUESTS = 50  # asked for at once, to compare what comes
# One worker as fast as nginx can be: no file, no log, no end of a connection.
CONFIGURATION = """
worker_processes 1;
daemon off;
pid {out}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; use epoll; }}
http {{
	access_log off;
	server_tokens off;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	client_body_temp_path {out}/nginx.body;
	proxy_temp_path {out}/nginx.proxy;
	fastcgi_temp_path {out}/nginx.fastcgi;
	scgi_temp_path {out}/nginx.scgi;
	uwsgi_temp_path {out}/nginx.uwsgi;
	server {{
		listen 127.0.0.1:{port};
		location = / {{ default_type text/plain; return 200 "Hello, world!"; }}
	}}
}}
"""


class Server:
    """A process that was started; `worker` is the one that serves."""

    def __init__(self, name, process, port, worker):
        self.name, self.process, self.port, self.worker = name, process, port, worker
        self.url = f"http://127.0.0.1:{port}/"

    def cpu_ns(self):
        """User and system time of all its threads: the CPU clock of another process."""
        return time.clock_gettime_ns(~self.worker << 3 | 2)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def soq(name, backend, program, cpus):
    """The example, or None where this backend cannot be had."""
    process = subprocess.Popen(
        [program, "-n", "nginx", "-t", "3600", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "SOQ_BACKEND": backend},
        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    line = process.stdout.readline()
    if not line:
        process.wait()
        print(f"{name}: cannot be had here", file=sys.stderr)
        return None
    return Server(name, process, int(line.rsplit(":", 1)[1]), process.pid)


def nginx(name, program, out, cpus):
    """nginx takes no free port by itself; it takes over a socket as from an older nginx."""
    with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
        port, path = listener.getsockname()[1], os.path.join(out, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(out=out, port=port))
        process = subprocess.Popen(
            [program, "-p", out, "-c", path], pass_fds=[listener.fileno()],
            env={**os.environ, "NGINX": f"{listener.fileno()};"},
            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        ask(port, 1)  # once it has answered there is a worker
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        return Server(name, process, port, int(file.read().split()[0]))


def ask(port, count):
    """Responses to `count` requests in one go, without what may differ: the date."""
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request % b"" * (count - 1) + request % b"Connection: close\r\n")
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return re.sub(rb"(?<=\r\nDate: )\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT(?=\r\n)", b"-", data)


def same_bytes(started):
    """Whether all of them give the same responses, byte for byte but for the date."""
    answers = {server.name: ask(server.port, REQUESTS) for server in started}
    first = next(iter(answers.values()))
    if first.count(b"HTTP/1.1 200 OK\r\n") == REQUESTS and len(set(answers.values())) == 1:
        return True
    for name, answer in answers.items():
        print(f"{name}: {answer[:400]}", file=sys.stderr)
    return False
