# SPDX-License-Identifier: MIT
"""Compares soq with what one would take instead of it; run.sh builds all and calls this.

Every round runs every server once in every scenario, in an order drawn anew. Exits with 1
only if a byte was wrong or a request lost, with 3 if nothing could be measured.
"""
import argparse
import os
import random
import resource
import sys
import time

import measure
import tables


class Scenario:
    def __init__(self, name, connections, size, pipeline=1):
        self.name, self.connections, self.size, self.pipeline = name, connections, size, pipeline


# Name, program and arguments; soq receives from a pool, as soqperf does by default.
SERVERS = [
    ("soq io_uring", ["soqperf", "server", "-q", "--engine", "uring"]),
    ("soq epoll", ["soqperf", "server", "-q", "--engine", "epoll"]),
    (tables.EPOLLS[0], ["twin-epoll"]),
    (tables.EPOLLS[1], ["twin-epoll", "--edge"]),
    (tables.RINGS[0], ["twin-uring"]),
    (tables.RINGS[1], ["twin-uring", "--ring"]),
    ("libuv", ["peers/peer-libuv"]),
    ("libevent, buffers", ["peers/peer-libevent"]),
    ("libevent, events", ["peers/peer-libevent-events"]),
    ("asio epoll", ["peers/peer-asio"]),
    ("asio io_uring", ["peers/peer-asio-uring"]),
    ("threads", ["peers/peer-threads"]),
]
if len({name for name, _ in SERVERS}) != len(SERVERS):
    raise ValueError("two servers of one name")


def scenarios(options):
    chosen = [
        Scenario("64 B, 1 connection", 1, 64),
        Scenario("64 B, 16 connections", 16, 64),
        Scenario("64 B, 256 connections", 256, 64),
        Scenario("16 KiB, 256 connections", 256, 16384),
        Scenario("64 B, 16 connections, 16 outstanding on each", 16, 64, 16),
    ]
    if not options.quick:
        chosen.append(Scenario("64 B, 2,000 connections", 2000, 64))
    if options.many:
        chosen.append(Scenario("64 B, 10,000 connections", 10000, 64))
    return chosen


def arguments():
    parser = argparse.ArgumentParser(
        prog="perf/compare/run.sh", description="Compares soq's echo server with those on bare "
        "epoll, bare liburing, libuv, libevent, Asio and threads, over loopback.")
    parser.add_argument("--quick", action="store_true",
                        help="2 rounds of 0.08 s: does it work, not how fast is it (40 s)")
    parser.add_argument("--rounds", type=int, help="rounds over all servers (5)")
    parser.add_argument("-d", type=float, dest="seconds", help="measured time of each run (0.4)")
    parser.add_argument("--many", action="store_true", help="10,000 connections too")
    parser.add_argument("--placement", default="same", choices=["same", "split", "none"],
                        help="both ends on one CPU (same), on two, or wherever they are put")
    parser.add_argument("--seed", type=int, default=int(time.time()),
                        help="of the order of the runs (printed)")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.08 if options.quick else 0.4)
    options.warmup = 0.04 if options.quick else 0.1
    return options


def present(options):
    """The servers that were built, with commands that a shell takes."""
    found, absent = [], []
    for name, command in SERVERS:
        program = os.path.join(options.bin, command[0])
        if os.access(program, os.X_OK):
            found.append((name, [program] + command[1:] + ["127.0.0.1:0"]))
        else:
            absent.append(name)
    return found, absent


def all_rounds(bench, servers, chosen, rounds, rows):
    for number in range(rounds):
        turns = [(scenario, server) for scenario in chosen for server in servers]
        # Scenario by scenario, so that what a ratio compares is close in time.
        chosen = random.sample(chosen, len(chosen))
        turns.sort(key=lambda t, order=chosen: (order.index(t[0]), random.random()))
        for scenario, (name, command) in turns:
            row = bench.exchange(name, command, scenario)
            if row:
                row.update(round=number, server=name, scenario=scenario.name)
                rows.append(row)
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random.seed(options.seed)
    servers, absent = present(options)
    chosen = scenarios(options)
    bench = measure.Bench(options)
    noise = measure.Noise()
    rows, calls, memory = [], {}, {}
    all_rounds(bench, servers, chosen, options.rounds, rows)
    noise.end()
    if not rows:
        print("perf/compare/run.sh: nothing could be measured", file=sys.stderr)
        return 3
    for name, command in servers:
        memory[name] = measure.memory(command, 256 if options.quick else 2000)
        for scenario in () if options.quick else chosen:
            if scenario.connections <= 256:
                calls[name, scenario.name] = bench.calls(command, scenario)
    result = tables.Result(options, [s.name for s in chosen], [n for n, _ in servers], rows,
                           calls, memory, noise, absent, bench.notes)
    result.print()
    result.write(options.out)
    if bench.wrong:
        print("FAILED: a byte was wrong or a request lost", file=sys.stderr)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
