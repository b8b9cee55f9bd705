#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Joins the rows of the contract and the ids of .NET's behaviours with the planted bugs.

Prints the rows that no mutant breaks, the rows of mutants that are none, and the ids whose
mutants would be caught by tests that do not pin them. Exits with 1 when there are any.
"""
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
CASE = re.compile(r'\b(?:SYNC_)?CASE\(\s*(\w+),\s*((?:"[^"]*"\s*)+)\)')


def read_rows():
    """Each row, and whether it has to have a mutant."""
    rows = {}
    for name in ("contract", "behaviours"):
        for line in (TESTS / "contract" / (name + ".txt")).read_text("utf-8").splitlines():
            row, *rest = line.split("\t")
            if not row or row.startswith("#"):
                continue
            elsewhere = rest[1] if len(rest) > 1 else ""
            # A line of the contract that is pinned elsewhere is there to be broken all the same.
            later = elsewhere.startswith(("a later stage", "later:"))
            rows[row] = not later if name == "contract" else not elsewhere
    return rows


def read_cases():
    """The rows that each test pins: {(program, test): rows}."""
    cases = {}
    for folder, kind in ("conformance", "conf_"), ("netns", "netns_"):
        for path in (TESTS / folder).glob("test_*.c"):
            program = kind + path.stem[len("test_"):]
            for test, rows in CASE.findall(path.read_text("utf-8")):
                cases[program, test] = set(" ".join(re.findall(r'"([^"]*)"', rows)).split())
    return cases


def read_mutants():
    """Name, rows, program and part of the tests' names of each."""
    for path in sorted((TESTS / "mutants").glob("*.patch")):
        head = path.read_text("utf-8").split("\n--- ", maxsplit=1)[0]
        field = dict(re.findall(r"^(\w+): *(.*)$", head, re.MULTILINE))
        yield path.stem, field["row"].split(), field["test"], field.get("only", "")


def main():
    rows, cases = read_rows(), read_cases()
    broken, faults = set(), []
    for name, breaks, program, only in read_mutants():
        broken |= set(breaks)
        pins = set().union(*[pinned for (owner, test), pinned in cases.items()
                             if owner == program and only in test])
        for row in breaks:
            if row not in rows:
                faults.append("%s: no such row (%s)" % (row, name))
            elif row.startswith("B") and row not in pins:
                faults.append("%s: %s is caught by a test that does not pin it" % (row, name))
    faults += ["%s: no mutant" % row for row, wanted in rows.items() if wanted and row not in broken]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
