# SPDX-License-Identifier: MIT
"""wrk against the HTTP example on both backends, beside nginx; run.sh builds all and calls this.

Every round runs every server once at every number of connections, in an order drawn anew.
Exits with 1 only if a response was wrong or missing, with 3 if nothing could be measured.
"""
import argparse
import csv
import os
import random
import re
import statistics
import subprocess
import sys
import time

import servers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compare"))
import measure  # pylint: disable=wrong-import-position

UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}
COLUMNS = ("server", "connections", "per_cpu_s", "over_nginx", "over_nginx_q1", "over_nginx_q3",
           "per_s", "p50_us", "p99_us", "busy")


def arguments():
    parser = argparse.ArgumentParser(
        prog="perf/http/run.sh", description="wrk against the HTTP example on io_uring and on "
        "epoll, beside nginx that gives the same bytes: requests per CPU second of the server.")
    parser.add_argument("--quick", action="store_true",
                        help="2 rounds at 64 connections: does it work, not how fast is it")
    parser.add_argument("--rounds", type=int, help="rounds over all servers (9)")
    parser.add_argument("-d", type=int, dest="seconds", default=1,
                        help="seconds of each run, whole ones (1)")
    parser.add_argument("-c", dest="connections", help="numbers of connections (1,64,256)")
    parser.add_argument("--placement", default="split", choices=["same", "split", "none"],
                        help="server and wrk on two CPUs (split), on one, or wherever they are put")
    parser.add_argument("--seed", type=int, default=int(time.time()),
                        help="of the order of the runs (printed)")
    for name in ("server", "nginx", "out"):
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 9)
    text = options.connections or ("64" if options.quick else "1,64,256")
    options.connections = [int(number) for number in text.split(",")]
    return options


def placement(kind):
    """The CPUs of the server and of wrk."""
    cpus = sorted(os.sched_getaffinity(0))
    if kind == "none":
        return cpus, cpus
    return cpus[:1], cpus[1:2] if kind == "split" and len(cpus) > 1 else cpus[:1]


def wrk(server, connections, options):
    """One run: what wrk and the server's CPU clock say; None if a response was wrong."""
    cpus = placement(options.placement)[1]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{options.seconds}", "--latency", server.url]
    cpu_ns = server.cpu_ns()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    cpu_ns = server.cpu_ns() - cpu_ns
    found = re.search(r"(\d+) requests in ([\d.]+)(\w+),", done.stdout)
    if not found or re.search("Socket errors|Non-2xx", done.stdout) or not int(found[1]):
        print(f"{server.name}, {connections} connections: {done.stdout}", file=sys.stderr)
        return None
    requests, seconds = int(found[1]), float(found[2]) * UNITS[found[3]] / 1e6
    row = {"server": server.name, "connections": connections, "per_s": requests / seconds,
           "per_cpu_s": requests * 1e9 / cpu_ns, "busy": cpu_ns / 1e9 / seconds}
    for percent in ("50", "99"):
        value, unit = re.search(rf"^ +{percent}% +([\d.]+)(\w+)", done.stdout, re.M).groups()
        row[f"p{percent}_us"] = float(value) * UNITS[unit]
    return row


def all_rounds(started, options):
    rows, wrong = [], False
    for number in range(options.rounds):
        for connections in random.sample(options.connections, len(options.connections)):
            # One after the other, so that what a ratio compares is close in time.
            for server in random.sample(started, len(started)):
                row = wrk(server, connections, options)
                wrong |= row is None
                if row:
                    rows.append({"round": number, **row})
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return rows, wrong


def medians(rows, options, names):
    """A row for each server and number of connections; ratios are of each round's own."""
    found = []
    for connections in options.connections:
        of = {(row["server"], row["round"]): row for row in rows
              if row["connections"] == connections}
        for name in names:
            mine = [row for (server, _), row in of.items() if server == name]
            ratios = [row["per_cpu_s"] / of["nginx", row["round"]]["per_cpu_s"] for row in mine
                      if ("nginx", row["round"]) in of]
            if not ratios:
                continue
            result = {key: statistics.median(row[key] for row in mine)
                      for key in ("per_cpu_s", "per_s", "p50_us", "p99_us", "busy")}
            quartiles = statistics.quantiles(ratios, method="inclusive") if len(ratios) > 1 \
                else ratios * 3
            result.update(server=name, connections=connections, over_nginx_q1=quartiles[0],
                          over_nginx=quartiles[1], over_nginx_q3=quartiles[2])
            found.append(result)
    return found


def show(found, noise, options):
    print(f"\nHTTP over loopback, placement {options.placement}, medians of {options.rounds} "
          f"rounds of {options.seconds} s, seed {options.seed}\n")
    print("| server | connections | requests per CPU s | over nginx | half of the rounds "
          "| requests per s | p50, p99 us | of its CPU | goal: 1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in found:
        goal = "**met**" if row["over_nginx"] >= 1 else "not met"
        print(f"| {row['server']} | {row['connections']} | {row['per_cpu_s']:,.0f} "
              f"| {row['over_nginx']:.2f} "
              f"| {row['over_nginx_q1']:.2f} to {row['over_nginx_q3']:.2f} "
              f"| {row['per_s']:,.0f} | {row['p50_us']:.0f}, {row['p99_us']:.0f} "
              f"| {100 * row['busy']:.0f} % | {'' if row['server'] == 'nginx' else goal} |")
    print()
    if noise.waited_percent is not None:
        print(f"Something waited for a CPU {noise.waited_percent:.0f} % of the time.")
    if noise.stolen_percent is not None:
        print(f"{noise.stolen_percent:.1f} % of the CPUs' time were stolen by the host.")


def write(path, columns, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({key: round(value, 4) if isinstance(value, float) else value
                          for key, value in row.items()} for row in rows)


def main():
    options = arguments()
    random.seed(options.seed)
    cpus = placement(options.placement)[0]
    started, wrong = [], False
    try:
        for name, backend in (("soq io_uring", "uring"), ("soq epoll", "epoll")):
            started.append(servers.soq(name, backend, options.server, cpus))
        started.append(servers.nginx("nginx", options.nginx, options.out, cpus))
        started = [server for server in started if server]
        names = [server.name for server in started]
        wrong = not servers.same_bytes(started)
        if not wrong:
            noise = measure.Noise()
            rows, wrong = all_rounds(started, options)
            noise.end()
            wrong |= not servers.same_bytes(started)
    finally:
        for server in started:
            server.end()
    if not wrong:
        found = medians(rows, options, names)
        if not found:
            print("perf/http/run.sh: nothing could be measured", file=sys.stderr)
            return 3
        show(found, noise, options)
        write(os.path.join(options.out, "http.csv"), COLUMNS, found)
        write(os.path.join(options.out, "runs.csv"), rows[0].keys(), rows)
        print(f"in {options.out}: http.csv (medians), runs.csv (every run)")
    else:
        print("FAILED: a response was wrong or missing", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
