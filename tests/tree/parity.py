#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds fallback/PARITY.md against the tree: what it has to name, and what it names.

parity.py ROOT

Its table of starting calls has every public *_async call and every SOQI_REQUEST_* kind, and
says which operations of the first table each belongs to; the tests the first table names exist.
"""
import os
import re
import sys


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def table(text, heading):
    """The rows of the table whose first column is called `heading`, as lists of cells."""
    rows, inside = [], False
    for line in text.split("\n"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not cells[0].startswith("---"):
            rows.append(cells)
    return rows


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def calls_of(root):
    folder = os.path.join(root, "include", "soq")
    headers = "".join(read(folder, name) for name in sorted(os.listdir(folder)))
    declared = re.findall(r"^SOQ_API [^;]*?\b(soq_\w+)\(", headers, re.M)
    return {name for name in declared if name.endswith("_async")}


def kinds_of(root):
    body = re.search(r"enum soqi_request_kind \{(.*?)\n\};", read(root, "src", "backend.h"), re.S)
    return set(re.findall(r"\bSOQI_REQUEST_\w+", body.group(1)))


def missing_tests(root, operation, cell):
    """Tests a row names that are not there: `area: a, b; area: c`, quoted; or an area alone."""
    wrong = []
    for part in cell.split(";"):
        names = quoted(part)
        area = re.match(r"\s*(\w+):", part)
        if not area:
            cmake = "".join(read(root, "tests", folder, "CMakeLists.txt")
                            for folder in ("fault", "unit"))
            wrong += [name for name in names if name.split(".")[-1] not in cmake]
            wrong += [] if names else [part.strip() or "nothing"]
            continue
        path = os.path.join(root, "tests", "conformance", "test_%s.c" % area.group(1))
        text = read(path) if os.path.exists(path) else None
        if text is None:
            wrong.append("test_%s.c" % area.group(1))
            continue
        wrong += [name for name in names if not re.search(r"CASE\(%s," % re.escape(name), text)]
    return ["%s: no such test: %s" % (operation, name) for name in wrong]


def differences(what, wanted, named):
    return (["%s has no row: %s" % (what, name) for name in sorted(wanted - named)] +
            ["no such %s: %s" % (what, name) for name in sorted(named - wanted)])


def main():
    root = sys.argv[1]
    text = read(root, "fallback", "PARITY.md")
    operations = table(text, "operation")
    starts = table(text, "starting call")
    wrong = []
    if not operations or not starts:
        wrong.append("PARITY.md has lost a table")
    for row in operations:
        if len(row) != 5 or not all(row):
            wrong.append("%s: not five columns" % row[0])
        else:
            wrong += missing_tests(root, row[0], row[4])
    wrong += differences("starting call", calls_of(root),
                         {name for row in starts for name in quoted(row[0])})
    wrong += differences("request", kinds_of(root),
                         {"SOQI_REQUEST_" + name for row in starts for name in quoted(row[1])})
    known = {row[0] for row in operations}
    for row in starts:
        belongs = [name.strip() for name in row[2].split(";")]
        wrong += ["%s: no such operation: %s" % (row[0], name)
                  for name in belongs if name not in known]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
