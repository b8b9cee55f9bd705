#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other people's programs against soq: interop.py CASE BACKEND SERVER CLIENT PEER."""
import sys

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import cases_datagram
import cases_raw
import cases_socat
import cases_stream
import cases_unix

CASES = {}
for module in (cases_datagram, cases_raw, cases_socat, cases_stream, cases_unix):
	CASES.update((name, run) for name, run in vars(module).items() if name.startswith("case_"))

CASES["case_" + sys.argv[1]]()
