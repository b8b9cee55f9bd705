#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Joins the rows of the contract, and the ids of .NET's behaviours, with what the conformance
tests pinned, and finds holes.

table.py RESULTS [--tiers a,b,...]    RESULTS as written through SOQ_TEST_RESULTS

Prints row x tier -> number of tests that passed. Exits with 1 when a row that the suite has
to pin was not pinned on a tier, or when a test names a row that does not exist.
"""
import argparse
import collections
import os
import sys

TIERS = "uring-full,uring-floor,uring-tiny,epoll"
# Only the synchronous part of the suite runs there, so it owes no row.
PARTIAL_TIERS = ["detached"]


def read_contract(path):
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if fields[0] and not fields[0].startswith("#"):
                rows[fields[0]] = (fields[1], fields[2] if len(fields) > 2 else None)
    return rows


def read_results(path):
    tests = collections.defaultdict(set)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            tier, row, name = line.rstrip("\n").split("\t")
            tests[row, tier].add(name)
    return tests


def print_table(title, rows, tests, required):
    """The rows of one file; returns its holes."""
    tiers = required + PARTIAL_TIERS
    holes = []
    print("%-4s %-78s %s" % ("row", title, " ".join("%11s" % tier for tier in tiers)))
    for row, (promise, elsewhere) in rows.items():
        cells = []
        for tier in tiers:
            count = len(tests[row, tier])
            hole = not count and not elsewhere and tier in required
            cells.append("pass %d" % count if count else "HOLE" if hole else "-")
            if hole:
                holes.append("%s on %s" % (row, tier))
        print("%-4s %-78s %s" % (row, promise, " ".join("%11s" % cell for cell in cells)))
        if elsewhere:
            print("     (%s)" % elsewhere)
    pinned = sum(1 for _, elsewhere in rows.values() if not elsewhere)
    print("%s: %d rows pinned here, %d elsewhere, later or different on purpose, %d holes\n"
          % (title, pinned, len(rows) - pinned, len(holes)))
    return holes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("results")
    parser.add_argument("--tiers", default=TIERS)
    options = parser.parse_args()
    tests = read_results(options.results)
    known, holes = set(), []
    for title in ("contract", "behaviours"):
        rows = read_contract(os.path.join(os.path.dirname(__file__), title + ".txt"))
        known |= set(rows)
        holes += print_table(title, rows, tests, options.tiers.split(","))
    holes += ["%s: no such row" % row for row in sorted({row for row, _ in tests} - known)]
    for hole in holes:
        print("hole: " + hole)
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
