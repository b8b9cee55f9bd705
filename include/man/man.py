#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the man pages: section 3 from the headers' comments, section 7 from *.rst beside this.

man.py INCLUDE OUT    INCLUDE holds soq/*.h and man/*.rst; OUT gets man3/ and man7/

A page of section 3 (or 3type, for a struct) is the comment above a declaration: prose, then
labelled lines. "otherwise as soq_x()" in the prose takes what is missing from soq_x(). Needs
docutils; that which does not fit the grammar is an error, never left out.
"""
import errno
import glob
import os
import re
import shutil
import sys
import textwrap

LABELS = ("Result", "Errors", "Owner", "Thread", "Kernel", "Fallback", ".NET")
STARTING = "those of every starting call"  # their list stands at struct soq_op
RESULTS = {"-ECANCELED": "the op was cancelled, or its socket closed",
           "-ETIMEDOUT": "the op's deadline came, or the network gave up"}
ERRNO = r"-E[A-Z0-9]+"


class Doc:
    """One comment, the declarations it stands above, and the header they are in."""

    def __init__(self, header, comment, code, enums):
        self.header, self.code, self.comment, self.enums = header, code, comment, enums
        self.labels = {}
        self.prose = []
        functions = re.findall(r"\b(soq_\w+)\(", code) if code.startswith("SOQ_API") else []
        self.names = functions or [re.search(r"\b(soq_\w+)", code).group(1)]
        self.section = "3" if functions else "3type"
        self.file = "man3/%s.%s" % (self.names[0], self.section)
        label = None
        for line in comment.split("\n"):
            match = re.match(r"(%s): *(.*)" % "|".join(map(re.escape, LABELS)), line)
            if match:
                label = match.group(1)
                self.labels[label] = [match.group(2)]
            elif label and line.startswith(" "):
                self.labels[label].append(line[8:])
            else:
                if label:
                    self.prose.append("")
                label = None
                self.prose.append(line)
        kernel, _, fallback = " ".join(self.labels.get("Kernel", [])).partition(" Fallback: ")
        if fallback:
            self.labels.update({"Kernel": [kernel], "Fallback": [fallback]})

    def text(self, label):
        return " ".join(line.strip() for line in self.labels.get(label, []))

    def summary(self):
        text = re.match(r"(.*?)[.:;](\s|$)", " ".join(self.prose)).group(1)
        return text[0].lower() + text[1:].replace("`", "")


def read_header(path):
    """The documented declarations of a header, and what its head says it is about."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    header = "soq/" + os.path.basename(path)
    enums = dict(re.findall(r"^(enum soq_\w+) ({\n.*?\n};)", text, re.M | re.S))
    docs = []
    for match in re.finditer(r"^/\*\*\n(.*?)\n \*/\n", text, re.M | re.S):
        rest = text[match.end():]
        end = {"S": r"\n\n", "t": r";\n", "s": r"\n};\n"}[rest[0]]
        code = rest[:re.search(end, rest).end()].strip()
        docs.append(Doc(header, re.sub(r"^ \* ?", "", match.group(1), flags=re.M), code, enums))
    about = re.search(r"\n/\*[\s*]*(.*?)\.?(\s\*/|: the contract)", text, re.S).group(1)
    return header, about, docs


def mark(text):
    """Plain text as rst, with what is a name in bold."""
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = "\\ ``%s``\\ " % part
            continue
        part = re.sub(r"([\\*_|])", r"\\\1", part)
        part = re.sub(r"\b(soq(?:\\_\w+)+?)\(\)", r"\1(3)", part)
        part = re.sub(r"\b([a-z](?:[a-z0-9]|\\_)*)\((\d\w*)\)", r"\\ **\1**\\ (\2)", part)
        parts[i] = re.sub(r"(?<![\w-])(%s|SOQ(?:\\_[A-Z0-9]+)+)\b" % ERRNO, r"\\ **\1**\\ ", part)
    return "".join(parts)


def entry(term, text):
    return "%s\n    %s\n" % (mark(term), sentence(text))


def sentence(text):
    text = mark(text.strip().rstrip("."))
    return text[:1].upper() + text[1:] + "."


def paragraphs(lines):
    """Prose; lines that are indented and begin with an error are a list."""
    out = []
    for line in lines:
        error = re.match("  (%s)  (.*)" % ERRNO, line)
        if error:
            out += ["", entry(*error.groups()), ""]
        else:
            out.append(mark(line.strip()))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out).strip("\n"))


def segments(doc):
    """The errors of a comment, one at a time."""
    found = []
    for line in doc.labels.get("Errors", []):
        last = found[-1] if found else ""
        loose = last and not re.match(r"%s(, %s)*  " % (ERRNO, ERRNO), last)
        if last and (line.startswith(" ") or last.endswith(",") or
                     (loose and not re.match(ERRNO + "|as results", line))):
            found[-1] += " " + line.strip()
        else:
            found.append(line)
    for text in found:
        yield from ([text] if text.startswith("as results: ") else
                    re.split(r"; (?=-E|else |results of |flags: )", text))


def options(body):
    """The members of enum soq_option: a comment above is a group's, or that of the next member."""
    out, above = [], None
    part = re.compile(r"\s*(?:/\*(?:\n\s*\*)? (?P<above>.*?)\s\*/|(?P<name>SOQ_OPTION_\w+) = \d+,(?: */\* (?P<beside>.*?) \*/)?)",
                      re.S)
    at = 0
    while body[at:].strip():
        match = part.match(body, at)
        at = match.end()
        if match.group("name"):
            beside = match.group("beside") or ""
            group = above and beside and (beside[0] != "(" or above.startswith("Of "))
            out += ["\n" + mark(above) + "\n"] if group else []
            out.append(entry(match.group("name"), " ".join(([] if group or not above else [above]) + [beside])))
            above = None
        else:
            out += ["\n" + mark(above) + "\n"] if above else []
            above = re.sub(r"\s*\n\s*\*? *", " ", match.group("above")).strip()
    return "\n".join(out)


class Manual:
    def __init__(self, include):
        headers = [read_header(path) for path in sorted(glob.glob(include + "/soq/*.h"))]
        self.about = {header: about for header, about, _ in headers}
        self.docs = [doc for _, _, docs in headers for doc in docs]
        self.by_name = {name: doc for doc in self.docs if doc.section == "3" for name in doc.names}
        op = next(doc for doc in self.docs if doc.names == ["soq_op"])
        self.starting = re.findall(r"^  (%s)  (.*)$" % ERRNO, op.comment, re.M)
        with open(include + "/soq/base.h", encoding="utf-8") as base:
            self.version = ".".join(re.findall(r"#define SOQ_VERSION_M?[A-Z]+ (\d+)\n", base.read()))
        with open(include + "/soq/option.h", encoding="utf-8") as option:
            self.options = options(re.search(r"enum soq_option {\n(.*?)\n};", option.read(), re.S).group(1))
        self.concepts = {}
        for path in sorted(glob.glob(include + "/man/*.rst")):
            with open(path, encoding="utf-8") as file:
                self.concepts[os.path.basename(path)[:-4]] = file.read()

    def every(self, name):
        return dict(reversed(self.starting))[name]

    def likeness(self, doc):
        match = re.search(r"otherwise as\s+(soq_\w+)\(\)", "\n".join(doc.prose))
        return self.by_name[match.group(1)] if match else None

    def label(self, doc, label):
        like = self.likeness(doc)
        return doc.text(label) or (self.label(like, label) if like else "")

    def errors(self, doc):
        """(what is returned, what events have, flags that are taken)"""
        like = self.likeness(doc)
        returned, events, flags = self.errors(like) if like else ([], [], "")
        for text in segments(doc):
            names = re.match(r"(%s(?:, %s)*) +(.*)" % (ERRNO, ERRNO), text)
            if text.rstrip(".") == STARTING:
                returned += [entry(*line) for line in self.starting]
            elif text.startswith("flags: "):
                flags = text[7:]
            elif names:
                every = names.group(2).startswith("as for every call")
                returned += [entry(name, self.every(name) if every else names.group(2))
                             for name in names.group(1).split(", ")]
            elif text.startswith("as results: "):
                listed = r"(%s)(?: \(([^)]*)\))?" % ERRNO
                events += [entry(name, why or RESULTS.get(name) or os.strerror(getattr(errno, name[1:])))
                           for name, why in re.findall(listed, text)]
                rest = re.sub(listed, "", text[len("as results: "):]).strip(" ,;")
                if rest:
                    events.append(sentence("also " + re.sub("^(and|or) ", "", rest)) + "\n")
            else:
                returned.append(sentence(text) + "\n")
        return returned, events, flags

    def see_also(self, doc):
        found = set(re.findall(r"\b(\w+\([2-8]\))", doc.comment)) | {"soq(7)"}
        found |= {name + "(3)" for name in re.findall(r"\b(soq_\w+)\(", doc.comment)}
        found |= {other + "(3type)" for other in re.findall(r"struct (soq_\w+)", doc.code)
                  if any(d.names == [other] and d.section == "3type" for d in self.docs)}
        found |= {twin + "(3)" for name in doc.names for twin in (name + "_async", name[:-6])
                  if twin in self.by_name}
        found |= {concept + "(7)" for concept, text in self.concepts.items()
                  if any(re.search(r"\b%s\(%s\)" % (name, doc.section), text) for name in doc.names)}
        return found - {"%s(%s)" % (name, doc.section) for name in doc.names}

    def call(self, doc):
        """The page of a comment, as rst."""
        returned, events, flags = self.errors(doc)
        if events:
            returned += ["\nWhat an event can have as its result instead:\n"] + events
        description = paragraphs(doc.prose) + ("\n\n" + sentence("flags: " + flags) if flags else "")
        kernel = [sentence("%s: %s" % (label, self.label(doc, label)))
                  for label in ("Kernel", "Fallback") if self.label(doc, label)]
        thread = re.sub(r"^any\b", "any thread", re.sub(r"^the loop's\b", "the loop's thread",
                                                      self.label(doc, "Thread")))
        sections = (("SYNOPSIS", "::\n\n" + textwrap.indent(synopsis(doc), "    ")),
                    ("DESCRIPTION", description),
                    ("RETURN VALUE", self.label(doc, "Result") and sentence(self.label(doc, "Result"))),
                    ("ERRORS", "\n".join(returned)),
                    ("OWNERSHIP", self.label(doc, "Owner") and sentence(self.label(doc, "Owner"))),
                    ("THREADS", thread and sentence(thread)),
                    ("KERNEL AND FALLBACK", "\n\n".join(kernel)),
                    (".NET", doc.text(".NET") and sentence(doc.text(".NET"))),
                    ("SEE ALSO", listed(self.see_also(doc))))
        body = "".join("%s\n%s\n\n%s\n\n" % (title, "=" * len(title), text)
                       for title, text in sections if text)
        return self.title(doc.names[0], doc.summary(), doc.section) + body

    def title(self, name, summary, section):
        rule = "#" * max(len(name), len(mark(summary)))
        return "%s\n%s\n%s\n\n%s\n%s\n%s\n\n:Manual section: %s\n:Manual group: soq\n:Version: soq %s\n\n" % (
            rule, name, rule, rule.replace("#", "-"), mark(summary), rule.replace("#", "-"),
            section, self.version)

    def concept(self, name):
        """A page of section 7: `@CALLS@` becomes the list of all calls, `@OPTIONS@` of the options."""
        _, summary, body = self.concepts[name].split("\n\n", 2)
        body = body.replace("@CALLS@", self.calls()).replace("@OPTIONS@", self.options)
        also = set(re.findall(r"\b\w+\(\d\w*\)", self.concepts[name]))
        also |= {other + "(7)" for other in self.concepts}
        body = re.sub(r"(?<![\w`])(\w+)\((\d\w*)\)", lambda m: mark(m.group(0)), body)
        return (self.title(name, summary, "7") + body +
                "\nSEE ALSO\n========\n\n%s\n" % listed(also - {name + "(7)"}))

    def calls(self):
        out = []
        for header, about in self.about.items():
            docs = [doc for doc in self.docs if doc.header == header and doc.section == "3"]
            if docs:
                out.append("**<%s>**: %s\n" % (header, about[0].lower() + about[1:]))
                out += ["%s\n    %s" % (", ".join(name + "(3)" for name in doc.names),
                                        mark(doc.summary())) for doc in docs]
                out.append("")
        return "\n".join(out)


def listed(references):
    return ",\n".join(mark(reference) for reference in sorted(references))


def synopsis(doc):
    lines = ["#include <%s>" % doc.header, ""]
    if doc.section == "3":
        for name, body in doc.enums.items():
            if name + " " in doc.code:
                lines += (name + " " + body).expandtabs(4).split("\n") + [""]
        for code in doc.code.split(";")[:-1]:
            code = " ".join(code.replace("SOQ_API", "").replace("SOQ_MUST_CHECK", "").split())
            # Between parameters only.
            code = code.replace(" ", "\0").replace(",\0", ", ")
            lines += textwrap.wrap(code + ";", 70, subsequent_indent="        ")
        lines = [line.replace("\0", " ") for line in lines]
    else:
        code = re.sub(r"\tstruct {\n.*?\n\t} priv;", "\tstruct { ... } priv;", doc.code, flags=re.S)
        lines += code.expandtabs(4).split("\n")
    return "\n".join(lines)


def roff(rst, names):
    """rst as roff; `names` are what NAME lists."""
    from docutils import core  # here, since members.py reads headers without it
    text = core.publish_string(rst, writer_name="manpage", settings_overrides={
        "output_encoding": "unicode", "halt_level": 2, "report_level": 2})
    text = re.sub(r"^(\.SH NAME\n)\S+", lambda m: m.group(1) + ", ".join(names), text, flags=re.M)
    # Names are not to be torn apart, and every roff is to understand every character.
    text = re.sub(r"^(\.TH .*\n)", r"\1.nh\n.ad l\n", text, flags=re.M)
    text = re.sub(r"[^\x00-\x7f]", lambda m: "\\[u%04X]" % ord(m.group(0)), text)
    # Fonts that every device has: the synopsis is bold, an example is plain.
    return text.replace("\n.ft C\n", "\n.ft B\n", 1).replace("\n.ft C\n", "\n.ft R\n")


def main():
    include, out = sys.argv[1:]
    manual = Manual(include)
    pages = {doc.file: roff(manual.call(doc), doc.names) for doc in manual.docs}
    for doc in manual.docs:
        for name in doc.names[1:]:
            pages["man3/%s.3" % name] = ".so %s\n" % doc.file
    for name in manual.concepts:
        pages["man7/%s.7" % name] = roff(manual.concept(name), [name]).replace("\n.ft B\n", "\n.ft R\n")
    shutil.rmtree(out, ignore_errors=True)
    for file, text in pages.items():
        os.makedirs(os.path.dirname(os.path.join(out, file)), exist_ok=True)
        with open(os.path.join(out, file), "w", encoding="utf-8") as page:
            page.write(text)


if __name__ == "__main__":
    main()
