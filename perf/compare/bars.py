# SPDX-License-Identifier: MIT
"""What soq has to reach, and whether it does: ratios of one run, medians of its rounds."""
from scenarios import EPOLLS, PEERS, RINGS, SOQ_EPOLL, SOQ_URING

FEW, MANY = ("c16", "c256", "c2000"), ("c1", "c10000", "large", "deep")
STREAMS = ("sink", "source")


class Bar:
    """`value` against `limit`: None if it was not measured. `spread`: quartiles, or None."""

    def __init__(self, name, value, limit, spread=None, reference="", strict=False):
        self.name, self.value, self.limit, self.spread = name, value, limit, spread
        self.reference, self.strict = reference, strict

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        met = self.value < self.limit if self.strict else self.value <= self.limit
        return "met" if met else "not met"

    def row(self):
        return {"bar": self.name, "value": self.value, "limit": self.limit,
                "below": self.strict, "low": self.spread and self.spread[0],
                "high": self.spread and self.spread[1], "reference": self.reference,
                "verdict": self.verdict}


def of_ratio(result, name, key, server, references, limit, strict=False):
    ratio = result.ratio(key, server, references)
    if ratio is None:
        return Bar(name, None, limit, strict=strict)
    return Bar(name, ratio.median, limit, (ratio.low, ratio.high), ratio.reference, strict)


def of_servers(result):
    bars = []
    title = result.title
    for key in ("c1", *FEW, "c10000", "large", "deep"):
        bars.append(of_ratio(result, f"best raw ring: {title(key)}", key, SOQ_URING, RINGS, 1.03))
    for key in FEW:
        bars.append(of_ratio(result, f"better raw epoll: {title(key)}", key, SOQ_URING, EPOLLS,
                             0.90))
    for key in MANY:
        bars.append(of_ratio(result, f"better raw epoll: {title(key)}", key, SOQ_URING, EPOLLS,
                             1.00))
    for key in ("c1", *FEW, "c10000", "large", "deep", *STREAMS, "crr", "udp"):
        bars.append(of_ratio(result, f"soq epoll, raw edge: {title(key)}", key, SOQ_EPOLL,
                             EPOLLS[1:], 1.03))
    for key in STREAMS:
        bars.append(of_ratio(result, f"better raw: {title(key)}", key, SOQ_URING, EPOLLS + RINGS,
                             1.00))
    bars.append(of_ratio(result, f"better raw epoll: {title('crr')}", "crr", SOQ_URING, EPOLLS,
                         1.00, True))
    return bars + of_peers(result)


def of_peers(result):
    """In every case below each of them: the largest of the ratios decides."""
    bars = []
    for peer in PEERS:
        ratios = {key: result.ratio(key, SOQ_URING, (peer,)) for key in result.keys}
        ratios = {key: ratio for key, ratio in ratios.items() if ratio}
        if not ratios:
            bars.append(Bar(f"every case, {peer}", None, 1.00, strict=True))
            continue
        worst = max(ratios, key=lambda key, of=ratios: of[key].median)
        below = sum(ratio.median < 1 for ratio in ratios.values())
        bars.append(Bar(f"every case, {peer}: below in {below} of {len(ratios)}",
                        ratios[worst].median, 1.00, (ratios[worst].low, ratios[worst].high),
                        "worst: " + result.title(worst), True))
    return bars


def of_pingpong(same, split):
    """`same`, `split`: the JSON of soq-pingpong on one CPU and on two, or None."""
    def row(document, key):
        rows = {r["key"]: r for r in document["rows"]} if document else {}
        return rows[key] if key in rows and "not_here" not in rows[key] else None

    def bar(name, found, field, limit):
        if not found or found.get(field) is None:
            return Bar(name, None, limit)
        spread = (found["ratio_low"], found["ratio_high"]) if field == "ratio" else None
        return Bar(name, found[field], limit, spread)

    return [
        bar("blocking calls: synchronous, one CPU, 64 receives armed",
            row(same, "soq-sync-uring"), "ratio", 1.05),
        bar("blocking calls: asynchronous, one connection, one CPU",
            row(same, "soq-async-uring"), "ratio", 1.00),
        bar("sleeping: two CPUs, spinning", row(split, "soq-spin-uring"), "to_sleeping", 0.5),
    ]


def of_harness(main, idle):
    """`main`, `idle`: the JSON of soq-harness, without and with --idle, or None."""
    bars = []
    soq = [r["allocations"] for r in main["rows"] if r["soq"] and "not_here" not in r] if main else []
    bars.append(Bar("allocations per request", max(soq, default=None), 0))
    costs = {r["key"]: r["server_p5_ns"] for r in main["rows"] if "not_here" not in r} if main else {}
    for name, prefix, limit in (("best raw ring", "raw-", 1.03), ("better raw epoll", "raw-e", 0.90)):
        others = [ns for key, ns in costs.items() if key.startswith(prefix)]
        value = costs["soq-uring"] / min(others) if others and "soq-uring" in costs else None
        bars.append(Bar(f"{name}: one thread, 64 ready, the server's part", value, limit))
    rows = {r["key"]: r for r in idle["rows"] if "not_here" not in r} if idle else {}
    for key in ("soq-uring", "soq-epoll"):
        row = rows.get(key)
        memory = row and row["memory"]
        bars.append(Bar(f"bytes per idle connection: {key}", memory and memory["bytes_each"], 256))
        bars.append(Bar(f"64 beside 10,000 idle, over without: {key}", row and row["whole_ratio"],
                        1.05, row and (row["whole_ratio_low"], row["whole_ratio_high"])))
    return bars


def of_micro(rows):
    """`rows`: (subject, count) to ns of soq less ns of the raw ring."""
    return [Bar("ns over raw liburing, batch of 32: " + what, rows.get((what, 32)), 15)
            for what in ("recv", "poll")]


def shown(bars):
    """The table's lines."""
    yield f"{'against':<75}{'value':>8}{'bar':>10}  {'half of the rounds':<19}verdict"
    for bar in bars:
        value = "-" if bar.value is None else f"{bar.value:.2f}"
        spread = f"{bar.spread[0]:.2f} to {bar.spread[1]:.2f}" if bar.spread else ""
        limit = ("<" if bar.strict else "<=") + f" {bar.limit:g}"
        reference = f" ({bar.reference})" if bar.reference else ""
        yield f"{bar.name:<75}{value:>8}{limit:>10}  {spread:<19}{bar.verdict}{reference}"
