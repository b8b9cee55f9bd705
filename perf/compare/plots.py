# SPDX-License-Identifier: MIT
"""The result as pictures, where matplotlib is: one for each scenario, one for the bars."""
import os

from scenarios import SOQ_EPOLL, SOQ_URING

try:
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None

COLOURS = {SOQ_URING: "#0b6e4f", SOQ_EPOLL: "#6bbf59"}
OTHERS = "#8d99ae"


def save(figure, folder, name):
    figure.tight_layout()
    # No date: the same numbers are the same file.
    figure.savefig(os.path.join(folder, name), metadata={"Date": None})
    pyplot.close(figure)


def draw_scenario(result, scenario, folder):
    """CPU spent, median and what lies between the quietest and the worst round."""
    lines = [s for s in result.summary if s["scenario"] == scenario.key]
    lines.sort(key=lambda s: -s["cost_ns"])
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(lines) + 1.2))
    for place, line in enumerate(lines):
        costs = [r["cost_ns"] for r in result.of(scenario.key, line["server"])]
        value = line["cost_ns"]
        axes.barh(place, value, color=COLOURS.get(line["server"], OTHERS),
                  xerr=[[value - min(costs)], [max(costs) - value]], ecolor="#444444", capsize=2)
    axes.set_yticks(range(len(lines)), [line["server"] for line in lines])
    whose = "both ends'" if scenario.counts_both else "server"
    axes.set_xlabel(f"{whose} CPU ns per {scenario.unit}; lines: all rounds")
    axes.set_title(scenario.title)
    save(figure, folder, f"{scenario.key}.svg")


def draw_bars(result, folder):
    """Each value over its limit: up to 1 is met. Limits of 0 have no ratio."""
    judged = [b for b in result.bars if b.value is not None and b.limit > 0][::-1]
    figure, axes = pyplot.subplots(figsize=(10, 0.28 * len(judged) + 1))
    for place, bar in enumerate(judged):
        axes.barh(place, bar.value / bar.limit,
                  color="#0b6e4f" if bar.verdict == "met" else "#c1666b")
        if bar.spread:
            axes.plot([bar.spread[0] / bar.limit, bar.spread[1] / bar.limit], [place, place],
                      color="#222222")
    axes.axvline(1, color="#222222", linewidth=0.8)
    axes.set_yticks(range(len(judged)), [b.name for b in judged], fontsize=7)
    axes.set_xlabel("value over its bar; lines: half of the rounds")
    axes.set_xlim(0, 2)
    save(figure, folder, "bars.svg")


def draw(result, folder):
    if pyplot is None:
        print("no plots: matplotlib is not here (python3-matplotlib)")
        return
    for scenario in result.scenarios:
        if any(s["scenario"] == scenario.key for s in result.summary):
            draw_scenario(result, scenario, folder)
    draw_bars(result, folder)
    print("plots: bars.svg, and one for each scenario, beside them")
