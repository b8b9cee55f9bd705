#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the options against their tests, and against .NET's names for them.

options.py ROOT

Every member of enum soq_option is set or read by the option tests, and has a row in the core's
table. Every member of SocketOptionName has its place in include/man/soq_options.rst: an option or
a call that is there, or "none" and why.
"""
import os
import re
import sys

# By SocketOptionLevel. A name that two levels share stands once, at IP.
MEMBERS = {
    "Socket": """Debug AcceptConnection ReuseAddress KeepAlive DontRoute Broadcast UseLoopback
        Linger DontLinger OutOfBandInline ExclusiveAddressUse SendBuffer ReceiveBuffer
        SendLowWater ReceiveLowWater SendTimeout ReceiveTimeout Error Type
        ReuseUnicastPort MaxConnections""",
    "IP": """IPOptions HeaderIncluded TypeOfService IpTimeToLive MulticastInterface
        MulticastTimeToLive MulticastLoopback AddMembership DropMembership DontFragment
        AddSourceMembership DropSourceMembership BlockSource UnblockSource
        PacketInformation""",
    "IPv6": """HopLimit IPProtectionLevel IPv6Only""",
    "Tcp": """NoDelay BsdUrgent Expedited TcpKeepAliveTime TcpKeepAliveInterval
        TcpKeepAliveRetryCount FastOpen""",
    "Udp": """NoChecksum ChecksumCoverage UpdateAcceptContext UpdateConnectContext""",
}


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def headers(root):
    folder = os.path.join(root, "include", "soq")
    return "".join(read(folder, name) for name in sorted(os.listdir(folder)))


def untested(root, options):
    tests = "".join(read(root, "tests", "conformance", "test_%s.c" % name)
                    for name in ("option", "option_meaning", "multicast"))
    table = read(root, "src", "option_table.c")
    wrong = []
    for option in sorted(options):
        if not re.search(r"\b%s\b" % option, tests):
            wrong.append("no test of " + option)
        if "[%s]" % option not in table:
            wrong.append("no row of " + option)
    return wrong


def places(page):
    """What stands for each member, by its name."""
    found = {}
    for name, text in re.findall(r"^``(\w+)``\n((?:    .*\n?)+)", page, re.M):
        found.setdefault(name, " ".join(text.split()))
    return found


def misplaced(root, options):
    found = places(read(root, "include", "man", "soq_options.rst"))
    calls = set(re.findall(r"\b(soq_\w+)\(", headers(root)))
    wanted = {name for names in MEMBERS.values() for name in names.split()}
    wrong = ["SocketOptionName.%s has no place" % name for name in sorted(wanted - set(found))]
    wrong += ["SocketOptionName has no %s" % name for name in sorted(set(found) - wanted)]
    for name, text in sorted(found.items()):
        named = set(re.findall(r"``(SOQ_OPTION_\w+)``", text))
        called = set(re.findall(r"\b(soq_\w+)\(3\)", text))
        wrong += ["%s: no such option: %s" % (name, option) for option in sorted(named - options)]
        wrong += ["%s: no such call: %s" % (name, call) for call in sorted(called - calls)]
        if not named and not called and not re.match(r"none: ....", text):
            wrong.append("%s: neither an option nor a call nor a reason" % name)
    return wrong


def main():
    root = sys.argv[1]
    body = re.search(r"enum soq_option \{(.*?)\n\};", read(root, "include", "soq", "option.h"), re.S)
    options = set(re.findall(r"^\s*(SOQ_OPTION_\w+) = ", body.group(1), re.M))
    wrong = untested(root, options) + misplaced(root, options)
    if len(options) < 50:
        wrong.append("enum soq_option was not understood")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
