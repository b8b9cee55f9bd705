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

import bars
import measure
import plots
import tables
from scenarios import present, scenarios


def arguments():
    parser = argparse.ArgumentParser(
        prog="perf/compare/run.sh", description="Compares soq's servers with those on bare "
        "epoll, bare liburing, libuv, libevent, Asio and threads, over loopback; and its calls "
        "with blocking ones, its ops with those of a raw ring.")
    parser.add_argument("--quick", action="store_true",
                        help="2 rounds of 0.08 s, at most 256 connections: does it work, not how "
                        "fast is it (under two minutes)")
    parser.add_argument("--rounds", type=int, help="rounds over all servers (7)")
    parser.add_argument("-d", type=float, dest="seconds", help="measured time of each run (0.4)")
    parser.add_argument("--placement", default="same", choices=["same", "split", "none"],
                        help="both ends on one CPU (same), on two, or wherever they are put")
    parser.add_argument("--only", metavar="KEYS", help="some scenarios: c1,c16,c256,c2000,c10000,"
                        "large,deep,sink,source,crr,udp")
    parser.add_argument("--seed", type=int, default=int(time.time()),
                        help="of the order of the runs (printed)")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.seconds = options.seconds or (0.08 if options.quick else 0.4)
    options.warmup = 0.04 if options.quick else 0.1
    return options


def all_rounds(bench, servers, chosen, rounds, rows):
    for number in range(rounds):
        turns = [(s, server) for s in chosen for server in servers if s.serves(server[0])]
        # Scenario by scenario, so that what a ratio compares is close in time.
        chosen = random.sample(chosen, len(chosen))
        turns.sort(key=lambda t, order=chosen: (order.index(t[0]), random.random()))
        for scenario, (name, command) in turns:
            row = bench.exchange(name, command, scenario)
            if row:
                row.update(round=number, server=name, scenario=scenario.key)
                rows.append(row)
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)


def programs(bench, options):
    """What the one-thread harness, the round trips and the micro-benchmarks say."""
    def run(name, *arguments):
        return measure.document([os.path.join(options.bin, name), *arguments], bench)

    turns, rounds = ("200", "5") if options.quick else ("2000", "31")
    found = {
        "harness": run("soq-harness", "--json", "--check", "--turns", turns),
        "idle": run("soq-harness", "--json", "--turns", turns, "--idle", "10000"),
        "same": run("soq-pingpong", "--json", "--rounds", rounds),
        "split": run("soq-pingpong", "--json", "--rounds", rounds, "--placement", "split"),
    }
    micro = measure.micro(os.path.join(options.bin, "micro", "soq-micro"), options.quick)
    return found, micro


def judge(result, found, micro):
    return (bars.of_servers(result) + bars.of_pingpong(found["same"], found["split"]) +
            bars.of_micro(micro) + bars.of_harness(found["harness"], found["idle"]))


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random.seed(options.seed)
    servers, absent = present(options.bin)
    chosen = scenarios(options.quick)
    if options.only:
        chosen = [s for s in chosen if s.key in options.only.split(",")]
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
            if scenario.mode == "rr" and not scenario.role and scenario.connections <= 256:
                calls[name, scenario.key] = bench.calls(command, scenario)
    found, micro = programs(bench, options)
    result = tables.Result(options, chosen, [n for n, _ in servers], rows, calls, memory, noise,
                           absent, bench.notes)
    result.judge(judge(result, found, micro))
    result.print()
    result.write(options.out)
    plots.draw(result, options.out)
    if bench.wrong:
        print("FAILED: a byte was wrong or a request lost", file=sys.stderr)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
