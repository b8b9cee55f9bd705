#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Joins the contract's rows with what the conformance tests pinned, and finds holes.

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results")
    parser.add_argument("--tiers", default=TIERS)
    parser.add_argument("--contract", default=os.path.join(os.path.dirname(__file__),
                                                           "contract.txt"))
    options = parser.parse_args()
    required = options.tiers.split(",")
    tiers = required + PARTIAL_TIERS
    rows = read_contract(options.contract)
    tests = read_results(options.results)
    holes = []

    print("%-4s %-78s %s" % ("line", "promise", " ".join("%11s" % tier for tier in tiers)))
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
    holes += ["%s: no such row" % row for row in sorted({row for row, _ in tests} - set(rows))]
    pinned = sum(1 for _, elsewhere in rows.values() if not elsewhere)
    print("contract: %d rows pinned here, %d elsewhere or later, %d holes"
          % (pinned, len(rows) - pinned, len(holes)))
    for hole in holes:
        print("hole: " + hole)
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
