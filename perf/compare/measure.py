# SPDX-License-Identifier: MIT
"""Runs servers: under soqperf's load, under strace, and for their memory."""
import json
import os
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

RUN_SECONDS_MAX = 60
PAGE_BYTES = resource.getpagesize()


def first_match(path, prefix):
    try:
        with open(path, encoding="ascii") as file:
            return next((line.split() for line in file if line.startswith(prefix)), None)
    except OSError:
        return None


class Noise:
    """What the machine did meanwhile: time stolen by its host, and waiting for a CPU."""

    def __init__(self):
        self.begin = self.read()
        self.stolen_percent = self.waited_percent = None

    @staticmethod
    def read():
        cpu, some = first_match("/proc/stat", "cpu "), first_match("/proc/pressure/cpu", "some")
        ticks = [int(field) for field in cpu[1:9]] if cpu else None
        waited_us = int(some[-1].split("=")[1]) if some else None
        return time.monotonic(), ticks, waited_us

    def end(self):
        (began, ticks, waited), (now, ticks2, waited2) = self.begin, self.read()
        if ticks and ticks2 and sum(ticks2) > sum(ticks):
            self.stolen_percent = 100 * (ticks2[7] - ticks[7]) / (sum(ticks2) - sum(ticks))
        if waited is not None and waited2 is not None:
            self.waited_percent = (waited2 - waited) / (now - began) / 1e4


class Bench:
    def __init__(self, options):
        self.options = options
        self.wrong = False
        self.notes = []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def soqperf(self, command, scenario, arguments):
        """One run of the load generator: its JSON, or None with a reason."""
        line = [os.path.join(self.options.bin, "soqperf"), scenario.mode, "-q", "-J",
                *scenario.arguments, "-A", self.options.placement,
                "--server-command", shlex.join(scenario.command(command)), *arguments]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            try:
                out, err = process.communicate(timeout=RUN_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()  # its server dies with it
                process.communicate()
                return None, f"did not end in {RUN_SECONDS_MAX} s"
        try:
            return json.loads(out), None
        except ValueError:
            return None, f"exit code {process.returncode}: {err.strip()[-200:]}"

    def check(self, label, result):
        """Wrong bytes and lost requests are failures; all else is told."""
        errors = result["result"]["errors"]
        if errors["wrong"] or errors["cut"] or errors["lost"]:
            self.wrong = True
        if errors["total"]:
            self.note(f"{label}: errors: " + json.dumps(errors))

    def exchange(self, name, command, scenario):
        label = f"{name}, {scenario.title}"
        result, reason = self.soqperf(command, scenario,
                                      ["-d", f"{self.options.seconds}s",
                                       "-W", f"{self.options.warmup}s"])
        if result is None:
            self.note(f"{label}: {reason}")
            return None
        self.check(label, result)
        server, client = result["ends"]["server"], result["ends"]["client"]
        cost = "cpu_ns_per_" + scenario.unit
        if server["source"] != "report" or not server[cost]:
            self.note(f"{label}: no report, or nothing done in a window")
            return None
        times = (result["latency"] or {}).get("service", {}).get("percentiles", {})
        both = server[cost] + client[cost] if scenario.counts_both else server[cost]
        return {
            "cost_ns": both,
            "server_ns": server[cost],
            "client_ns": client[cost],
            "rate": result["result"].get("rate") or result["result"]["bytes_per_s"] / 1024,
            "p50_ns": times.get("50"),
            "p99_ns": times.get("99"),
            "enters": server.get("enters_per_" + scenario.unit) or None,
            "sqes": server.get("sqes_per_" + scenario.unit) or None,
            "errors": result["result"]["errors"]["total"],
        }

    def calls(self, command, scenario):
        """System calls per request, those of set-up and end taken out by a difference."""
        few = 500 + 100 * scenario.connections
        many = 4 * few
        counts = [self.count_calls(command, scenario, requests) for requests in (few, many)]
        return (counts[1] - counts[0]) / (many - few) if all(counts) else None

    def count_calls(self, command, scenario, requests):
        if not shutil.which("strace"):
            self.note("no strace: system calls are not counted")
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "calls")
            # -D: the server stays soqperf's own child, strace is its grandchild.
            traced = ["strace", "-D", "-f", "-q", "-c", "-o", file, *command]
            result, reason = self.soqperf(traced, scenario, ["-n", str(requests)])
            if result is None:
                self.note(f"strace: {reason}")
                return None
            total = None
            until = time.monotonic() + 5
            while total is None and time.monotonic() < until:
                total = next((line for line in open_lines(file) if line.endswith("total")), None)
                time.sleep(0.01)
        return int(total.split()[3]) if total else None


def document(command, bench, seconds_max=300):
    """The JSON of a program of ours, or None with a note."""
    if not os.access(command[0], os.X_OK):
        return None
    name = os.path.basename(command[0])
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             timeout=seconds_max, check=False)
        if run.returncode == 1:
            bench.wrong = True
        return json.loads(run.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        bench.note(f"{name}: {error}")
        return None


def micro(program, quick):
    """(subject, count) to ns of soq less ns of the raw ring, medians of the rounds."""
    if not os.access(program, os.X_OK):
        return {}
    run = subprocess.run(
        [program, "--benchmark_filter=^(recv|poll)@io_uring/.*/32$", "--benchmark_format=json",
         f"--benchmark_min_time={0.001 if quick else 0.03}",
         f"--benchmark_repetitions={3 if quick else 21}",
         "--benchmark_enable_random_interleaving=true",
         "--benchmark_report_aggregates_only=true"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    ns = {}
    for row in json.loads(run.stdout)["benchmarks"] if run.stdout else []:
        if row["aggregate_name"] == "median":
            subject, side, count = row["run_name"].split("/")
            ns[subject.split("@")[0], side, int(count)] = 1e9 / row["items_per_second"]
    return {(what, count): ns[what, "soq", count] - ns[what, "raw", count]
            for what, side, count in ns if side == "soq" and (what, "raw", count) in ns}


def open_lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def exchange_once(peer, message):
    peer.sendall(message)
    left = len(message)
    while left:
        got = peer.recv(left)
        if not got:
            raise OSError("the server closed a connection")
        left -= len(got)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE_BYTES


def memory(command, connections):
    """Resident bytes per connection after 64 B and after 16 KiB were echoed on each."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peers = []
    try:
        lines = iter(server.stdout.readline, "")
        where = next((line.split()[1] for line in lines if line.startswith("listening ")), None)
        if where is None:
            return None
        host, port = where.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as first:
            exchange_once(first, bytes(16384))
        idle = resident_bytes(server.pid)
        grown = []
        for _ in range(connections):
            peers.append(socket.create_connection((host, int(port)), timeout=10))
        for size in (64, 16384):
            for peer in peers:
                exchange_once(peer, bytes(size))
            grown.append((resident_bytes(server.pid) - idle) / connections)
        return {"connections": connections, "idle_bytes": idle,
                "bytes_64": grown[0], "bytes_16384": grown[1]}
    except OSError:
        return None
    finally:
        for peer in peers:
            peer.close()
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()
