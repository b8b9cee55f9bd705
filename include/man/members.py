#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""README's table of .NET members, made of members.txt and the `.NET:` lines of the headers.

members.py [--write] ROOT    ROOT holds README.md and include/

Says what is wrong: a comment that names an unknown member, a member with neither a call nor a
reason, or with both, a README that has another table. `--write` puts the table into it.
"""
import os
import re
import sys

sys.dont_write_bytecode = True  # nothing is left beside the sources
import man

BEGIN, END = "<!-- members: made by include/man/members.py -->\n", "<!-- members: end -->\n"
ASYNC_STRUCTS = ("soq_op", "soq_event", "soq_done_fn")
OTHERS, ELSEWHERE = "other types", "elsewhere"


def split(text):
    """At commas, but not inside of parentheses."""
    return [name.strip() for name in re.split(r",(?![^(]*\))", text)]


class Row:
    def __init__(self, section, line):
        names, self.kind, self.text = re.match(r"(.*?)(?: ([=!]) (.*))?$", line).groups()
        self.names = split(names)
        prefix = "" if section in (OTHERS, ELSEWHERE) else section + "."
        # The type itself, and its constructors, have no prefix.
        self.full = [name if re.match(re.escape(section) + r"(\(|$)", name) else prefix + name
                     for name in self.names]
        self.section = section
        self.sync, self.asynchronous = [], []

    def answer(self, docs):
        """The calls for each name; returns the names without any."""
        missing, forms = [], []
        for name, full in zip(self.names, self.full):
            found = [doc for doc in docs if full in doc.members]
            if not found:
                form = self.section == "Socket" and re.match("(Begin|End)[A-Z]", name)
                (forms if form else missing).append(full)
            for doc in found:
                asynchronous = doc.names[0].endswith("_async") or doc.names[0] in ASYNC_STRUCTS
                into = self.asynchronous if asynchronous else self.sync
                into += [doc] if doc not in into else []
        return missing + ([] if self.asynchronous else forms)

    def where(self, manual):
        """What the calls run on, by who may make them."""
        functions = [doc for doc in self.sync + self.asynchronous if doc.section == "3"]
        threads = [manual.label(doc, "Thread") for doc in functions]
        if threads and all(re.match("any(?!, once)", thread) for thread in threads):
            return "no loop"
        if any("detached" in thread or "with no loop" in thread for thread in threads):
            return "both, detached"
        return "both"

    def markdown(self, manual):
        head = "| %s " % ", ".join("`%s`" % name for name in self.names)
        if self.kind == "!":
            return head + "| | | | %s |\n" % self.text
        return head + "| %s | %s | %s | %s |\n" % (
            calls(self.sync), calls(self.asynchronous), self.where(manual), self.text or "")


def calls(docs):
    """What stands in a cell; of a function by its name, of a struct as one."""
    return ", ".join("`%s`" % (name + "()" if doc.section == "3" else
                               name if doc.code.startswith("typedef") else "struct " + name)
                     for doc in sorted(docs, key=lambda doc: len(doc.names[0])) for name in doc.names[:1])


def read_rows(path):
    section = None
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if line.startswith("["):
                section = line[1:-1]
            elif line and not line.startswith("#"):
                yield Row(section, line)


def check(manual, rows):
    """What is wrong with the rows and the comments, one at a time. Fills the rows."""
    known = [name for row in rows for name in row.full]
    for doc in manual.docs:
        doc.members = split(doc.text(".NET")) if doc.text(".NET") else []
        for name in doc.members:
            if name not in known:
                yield "%s: %s names %s, which members.txt does not know" % (
                    doc.header, doc.names[0], name)
    for name in sorted({name for name in known if known.count(name) > 1}):
        yield "members.txt has %s twice" % name
    for row in rows:
        if row.section == ELSEWHERE:
            continue
        missing = row.answer(manual.docs)
        found = row.sync + row.asynchronous
        if row.kind == "!" and found:
            yield "%s: %s answers to it, the reason in members.txt (%s) is not needed" % (
                row.full[0], found[0].names[0], row.text)
            row.kind, row.text = None, None
        elif row.kind != "!":
            for name in missing:
                yield "%s has neither a call nor a reason" % name
        for name in re.findall(r"\b(?:soq|SOQ)_\w*\w", row.text or ""):
            if name not in manual.identifiers:
                yield "%s: its row names %s, which no header has" % (row.full[0], name)


def table(manual, rows):
    out = []
    for section in dict.fromkeys(row.section for row in rows if row.section != ELSEWHERE):
        title = "Other types" if section == OTHERS else "Of `%s`" % section
        out.append("| %s | synchronous | asynchronous | on | note |\n|---|---|---|---|---|\n" % title)
        out[-1] += "".join(row.markdown(manual) for row in rows if row.section == section)
    return "\n".join(out)


def main():
    write = "--write" in sys.argv[1:2]
    root = sys.argv[-1]
    manual = man.Manual(root + "/include")
    manual.identifiers = set(manual.concepts)
    for header in manual.about:
        with open(root + "/include/" + header, encoding="utf-8") as file:
            manual.identifiers |= set(re.findall(r"\b(?:soq|SOQ)_\w+", file.read()))
    rows = list(read_rows(os.path.join(root, "include/man/members.txt")))
    wrong = list(check(manual, rows))
    with open(root + "/README.md", encoding="utf-8") as file:
        readme = file.read()
    before, begin, rest = readme.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not end:
        wrong.append("README.md has no place for the table")
    new = before + begin + "\n" + table(manual, rows) + "\n" + end + after
    if end and new != readme and write:
        with open(root + "/README.md", "w", encoding="utf-8") as file:
            file.write(new)
    elif end and new != readme:
        wrong.append("README.md has another table: include/man/members.py --write %s" % root)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
