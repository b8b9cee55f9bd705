# SPDX-License-Identifier: MIT
"""Medians, ratios, and how the result is printed and kept."""
import collections
import csv
import json
import os
import platform
import statistics

import bars
from scenarios import EPOLLS, RINGS

COLUMNS = ("cost_ns", "server_ns", "client_ns", "rate", "p50_ns", "p99_ns", "enters", "sqes")

# Of the rounds' own ratios: the median, half of them between low and high; over whom.
Ratio = collections.namedtuple("Ratio", "median low high reference")


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def shown(value, form, scale=1):
    return "-" if value is None else format(value / scale, form)


class Result:
    def __init__(self, options, scenarios, servers, rows, calls, memory, noise, absent, notes):
        self.options, self.scenarios, self.servers = options, scenarios, servers
        self.rows, self.calls, self.memory = rows, calls, memory
        self.noise, self.absent, self.notes = noise, absent, notes
        self.keys = [s.key for s in scenarios]
        self.bars = []
        self.summary = [self.summarise(key, server) for key in self.keys for server in servers
                        if self.of(key, server)]

    def judge(self, judged):
        self.bars = judged

    def title(self, key):
        return next((s.title for s in self.scenarios if s.key == key), key)

    def of(self, key, server):
        return [r for r in self.rows if r["scenario"] == key and r["server"] == server]

    def best(self, key, references):
        """The one with the least median: one for all rounds, or each would pick its luckiest."""
        costs = {r: median([row["cost_ns"] for row in self.of(key, r)]) for r in references}
        costs = {r: cost for r, cost in costs.items() if cost}
        return min(costs, key=costs.get) if costs else None

    def ratio(self, key, server, references):
        reference = self.best(key, references)
        costs = {row["round"]: row["cost_ns"] for row in self.of(key, reference)}
        ratios = sorted(row["cost_ns"] / costs[row["round"]]
                        for row in self.of(key, server) if row["round"] in costs)
        if not ratios:
            return None
        count = len(ratios)
        return Ratio(statistics.median(ratios), ratios[count // 4], ratios[(3 * count - 1) // 4],
                     reference)

    def summarise(self, key, server):
        rows = self.of(key, server)
        line = {"scenario": key, "server": server, "rounds": len(rows)}
        line.update({column: median([r[column] for r in rows]) for column in COLUMNS})
        costs = [r["cost_ns"] for r in rows]
        line["spread"] = (max(costs) - min(costs)) / line["cost_ns"]
        for name, references in (("to_epoll", EPOLLS), ("to_ring", RINGS)):
            ratio = self.ratio(key, server, references)
            line[name] = ratio and ratio.median
        line["calls"] = self.calls.get((server, key))
        return line

    def print_scenario(self, scenario):
        lines = [s for s in self.summary if s["scenario"] == scenario.key]
        unit = {"request": "req", "connection": "conn", "kib": "KiB"}[scenario.unit]
        whose = "CPU ns of both ends" if scenario.counts_both else "server CPU ns"
        print(f"\n{scenario.title}: {whose} for each {unit}\n")
        print(f"{'server':<20}{'ns/' + unit:>10}{'server':>8}{'client':>8}{'/epoll':>8}"
              f"{'/ring':>8}{unit + '/s':>11}{'p50 us':>9}{'p99 us':>9}{'calls':>8}")
        for s in lines:
            print(f"{s['server']:<20}{s['cost_ns']:>10.0f}{s['server_ns']:>8.0f}"
                  f"{s['client_ns']:>8.0f}{shown(s['to_epoll'], '>8.2f'):>8}"
                  f"{shown(s['to_ring'], '>8.2f'):>8}{s['rate']:>11.0f}"
                  f"{shown(s['p50_ns'], '>9.1f', 1e3):>9}{shown(s['p99_ns'], '>9.1f', 1e3):>9}"
                  f"{shown(s['calls'], '>8.2f'):>8}")
        if lines:
            spreads = sorted(s["spread"] for s in lines)
            print(f"between rounds: half of the servers differ by more than "
                  f"{100 * statistics.median(spreads):.0f} %, the worst by {100 * spreads[-1]:.0f} %")

    def print_memory(self):
        print("\nresident memory of the server's process (the kernel's own is not in it)\n")
        print(f"{'server':<20}{'idle KiB':>10}{'connections':>13}{'B each, 64 B':>14}"
              f"{'B each, 16 KiB':>16}")
        for server in self.servers:
            m = self.memory.get(server)
            if m:
                print(f"{server:<20}{m['idle_bytes'] / 1024:>10.0f}{m['connections']:>13}"
                      f"{m['bytes_64']:>14.0f}{m['bytes_16384']:>16.0f}")

    def print(self):
        print(f"Linux {platform.release()}, {os.cpu_count()} CPUs, placement "
              f"{self.options.placement}, {self.options.rounds} rounds of "
              f"{self.options.seconds} s, seed {self.options.seed}")
        for scenario in self.scenarios:
            self.print_scenario(scenario)
        self.print_memory()
        print("\nbars: ratios are medians of the rounds' own\n")
        for line in bars.shown(self.bars):
            print(line)
        print()
        if self.noise.stolen_percent is not None:
            print(f"stolen by the host meanwhile: {self.noise.stolen_percent:.1f} % of the CPUs")
        if self.noise.waited_percent is not None:
            print(f"something waited for a CPU {self.noise.waited_percent:.0f} % of the time "
                  "(two ends on one CPU wait for each other)")
        if self.absent:
            print("not built, since their libraries are not here: " + "; ".join(self.absent))
        for note in self.notes:
            print("note: " + note)

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "runs.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["round", "scenario", "server", *COLUMNS, "errors"])
            writer.writeheader()
            writer.writerows(self.rows)
        document = {
            "schema": "soq-compare/2",
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "placement": self.options.placement,
            "rounds": self.options.rounds,
            "seconds": self.options.seconds,
            "seed": self.options.seed,
            "stolen_percent": self.noise.stolen_percent,
            "waited_percent": self.noise.waited_percent,
            "not_built": self.absent,
            "notes": self.notes,
            "bars": [bar.row() for bar in self.bars],
            "summary": self.summary,
            "memory": self.memory,
            "runs": self.rows,
        }
        with open(os.path.join(folder, "compare.json"), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
        with open(os.path.join(folder, "compare.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.summary[0]))
            writer.writeheader()
            writer.writerows(self.summary)
        with open(os.path.join(folder, "bars.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.bars[0].row()))
            writer.writeheader()
            writer.writerows(bar.row() for bar in self.bars)
        print("written: compare.json, compare.csv (medians), bars.csv, runs.csv in "
              + os.path.relpath(folder))
