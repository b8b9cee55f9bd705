# SPDX-License-Identifier: MIT
"""What is compared: servers, and what they are asked to do."""
import os

EPOLLS = ("raw epoll", "raw epoll, edge")
RINGS = ("raw liburing", "raw ring")
SOQ_URING, SOQ_EPOLL = "soq io_uring", "soq epoll"
ASIOS = ("asio epoll", "asio io_uring")
PEERS = ("libuv", "libevent, buffers", "libevent, events", *ASIOS)
THREADS = "threads"

# Name, program and arguments; soq receives from a pool, as soqperf does by default.
SERVERS = [
    (SOQ_URING, ["soqperf", "server", "-q", "--engine", "uring"]),
    (SOQ_EPOLL, ["soqperf", "server", "-q", "--engine", "epoll"]),
    (EPOLLS[0], ["twin-epoll"]),
    (EPOLLS[1], ["twin-epoll", "--edge"]),
    (RINGS[0], ["twin-uring"]),
    (RINGS[1], ["twin-uring", "--ring"]),
    (PEERS[0], ["peers/peer-libuv"]),
    (PEERS[1], ["peers/peer-libevent"]),
    (PEERS[2], ["peers/peer-libevent-events"]),
    (ASIOS[0], ["peers/peer-asio"]),
    (ASIOS[1], ["peers/peer-asio-uring"]),
    (THREADS, ["peers/peer-threads"]),
]


# As the raw rings have: they pay for connections of more than a dozen requests.
DIRECT = ["--direct", "16384"]
# Bufs as large as the buffers that the other sinks have; soq's default is for requests.
SINK_POOL = ["--buffer", "512Ki", "--pool-bufs", "64"]


class Scenario:
    """One load: a mode of soqperf with its arguments, and the role its server plays."""

    def __init__(self, key, title, mode, arguments, role=None):
        self.key, self.title, self.mode, self.arguments = key, title, mode, arguments
        self.role = role
        self.connections = int(arguments[arguments.index("-c") + 1])

    @property
    def unit(self):
        return {"rr": "request", "stream": "kib", "crr": "connection"}[self.mode]

    def command(self, command):
        """Of a server that is to play the role."""
        if self.role == "--sink" and "--engine" in command:
            command = [*command, *SINK_POOL]
        if self.mode == "rr" and not self.role and "uring" in command:
            command = [*command, *DIRECT]
        return [*command, *([self.role] if self.role else [])]

    @property
    def counts_both(self):
        """
        Of a stream over loopback the ends share the work as it falls: whoever acknowledges
        also sends for the other. So what is compared is the cost of both.
        """
        return self.mode == "stream"

    def serves(self, server):
        """A thread for each of 10,000 connections is no server anybody would write."""
        return server != THREADS or self.connections <= 2000


def requests(key, title, connections, size=64, pipeline=1):
    return Scenario(key, title, "rr", ["-c", str(connections), "-s", str(size), "-P", str(pipeline)])


def scenarios(quick):
    chosen = [
        requests("c1", "64 B, 1 connection", 1),
        requests("c16", "64 B, 16 connections", 16),
        requests("c256", "64 B, 256 connections", 256),
        requests("c2000", "64 B, 2,000 connections", 2000),
        requests("c10000", "64 B, 10,000 connections", 10000),
        requests("large", "16 KiB, 256 connections", 256, 16384),
        requests("deep", "64 B, 16 connections, 16 outstanding on each", 16, 64, 16),
        Scenario("sink", "stream to the server, 16 connections, chunks of 64 KiB", "stream",
                 ["-c", "16", "-s", "64Ki"], "--sink"),
        Scenario("source", "stream from the server, 16 connections, chunks of 64 KiB", "stream",
                 ["-c", "16", "--reverse"], "--source"),
        Scenario("crr", "connect, one request of 64 B, close; 16 at a time", "crr",
                 ["-c", "16", "-s", "64"]),
        Scenario("udp", "datagrams of 64 B, 16 clients", "rr",
                 ["--transport", "udp", "-c", "16", "-s", "64"], "--datagram"),
    ]
    return [s for s in chosen if not quick or s.connections <= 256]


def present(folder):
    """The servers that were built, with their commands; and those that were not."""
    found, absent = [], []
    for name, command in SERVERS:
        program = os.path.join(folder, command[0])
        if os.access(program, os.X_OK):
            found.append((name, [program] + command[1:] + ["127.0.0.1:0"]))
        else:
            absent.append(name)
    return found, absent
