"""The tables on the terminal and the JSON in `results/`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.measure import CONNECTIONS, WARM_UP_SECONDS, Cores, Round, Summary, summarise
from benchmarks.servers import VARIANTS

NOISY = 0.12  # share of the servers' core that others used, above which a figure should be measured again
WIDTH = 13
HEADINGS = ("req/s", "CPU µs", "p99 ms", "spread", "busy", "foreign")


@dataclass(frozen=True)
class Target:
    """`key`'s CPU cost must be at most `factor` times that of `reference`."""

    scenario: str
    database: str
    key: str
    reference: str
    factor: float
    text: str


TARGETS = (
    Target("list-nocount", "postgresql", "xumi", "limit", 1 / 0.80, "Xumi ≥ 80 % of the limit"),
    Target("list-nocount", "postgresql", "xumi", "fastapi", 1 / 20, "Xumi ≥ 20 × FastAPI the usual way"),
    Target("list-nocount", "postgresql", "xumi", "flask", 1 / 10, "Xumi ≥ 10 × Flask"),
    Target("list-nocount", "postgresql", "xumi", "lean", 1 / 7, "Xumi ≥ 7 × lean FastAPI"),
    Target("tokens-all", "postgresql", "xumi", "limit", 1 / 0.65, "Xumi ≥ 65 % of the limit"),
    Target("list-nocount", "sqlite", "xumi", "limit", 1 / 0.70, "Xumi ≥ 70 % of the limit"),
    Target("hello", "sqlite", "xumi-plain", "bare", 1 / 3, "Xumi, features off ≥ 3 × FastAPI alone"),
    Target("insert", "postgresql", "xumi", "limit", 1 / 0.50, "Xumi ≥ 50 % of the limit"),
    Target("insert", "sqlite", "xumi", "limit", 1 / 0.50, "Xumi ≥ 50 % of the limit"),
)
LAST_TO_FIRST = 1.05
STAFF_MICROSECONDS = 450


@dataclass(frozen=True)
class Measured:
    """All rounds of one scenario on one database, by variant."""

    scenario: str
    title: str
    database: str
    database_version: str
    rounds: Mapping[str, Sequence[Round]]

    def summaries(self) -> dict[str, Summary]:
        """The medians by variant."""
        return {key: summarise(rounds) for key, rounds in self.rounds.items()}


def ratio(summaries: Mapping[str, Summary], key: str, reference: str) -> dict[str, float]:
    """How many times as good `key` is as `reference`: by CPU a request (the main figure) and by requests a second."""
    this, other = summaries[key], summaries[reference]
    return {"cpu": other.cpu_us / this.cpu_us, "per_second": this.per_second / other.per_second}


def show(measured: Measured) -> str:
    """The table of one scenario on one database, and what the targets say of it."""
    summaries = measured.summaries()
    titles = {variant.key: variant.title for variant in VARIANTS}
    references = [key for key in ("limit", "bare", "fastapi") if key in summaries][:2]
    names = {"limit": "limit", "fastapi": "usual", "bare": "alone"}
    heads = [*HEADINGS, *(f"{kind}/{names[key]}" for key in references for kind in ("CPU", "req/s"))]
    lines = [f"{measured.scenario}: {measured.title} · {measured.database} {measured.database_version}"]
    lines.append("".join([f"{'':38}", *(f"{head:>{WIDTH}}" for head in heads)]))
    for key, this in summaries.items():
        cells = [f"{this.per_second:,.0f}", f"{this.cpu_us:,.0f}", f"{this.p99_ms:.0f}"]
        cells += [f"{this.spread:.0%}", f"{this.busy:.0%}", f"{this.foreign:.0%}"]
        for reference in references:
            form = "{:.0%}" if reference == "limit" else "{:.1f}"
            cells += [form.format(each) for each in ratio(summaries, key, reference).values()]
        lines.append("".join([f"{titles[key]:38}", *(f"{cell:>{WIDTH}}" for cell in cells)]))
    return "\n".join([*lines, *_judge(measured, summaries)])


def _judge(measured: Measured, summaries: Mapping[str, Summary]) -> list[str]:
    lines = []
    for target in TARGETS:
        here = (target.scenario, target.database) == (measured.scenario, measured.database)
        if here and {target.key, target.reference} <= summaries.keys():
            share = ratio(summaries, target.key, target.reference)["cpu"]
            met = share * target.factor >= 1
            lines.append(f"target {target.text} by CPU a request: {share:.2f}, {'met' if met else 'MISSED'}")
    if measured.scenario.startswith("staff"):
        met = summaries["xumi"].cpu_us <= STAFF_MICROSECONDS
        told = f"{summaries['xumi'].cpu_us:.0f}, {'met' if met else 'MISSED'}"
        lines.append(f"target Xumi ≤ {STAFF_MICROSECONDS} µs of CPU a request: {told}")
    if (worst := max(summary.foreign for summary in summaries.values())) > NOISY:
        lines.append(f"noisy: others used {worst:.0%} of the servers' core; repeat when the machine is quiet")
    return lines


def judge_routes(all_measured: Sequence[Measured]) -> str | None:
    """What finding the last of many routes costs compared with the first; None where they were not measured."""
    costs = {each.scenario: each.summaries() for each in all_measured if each.scenario.startswith("routes-")}
    if not {"routes-first", "routes-last"} <= costs.keys():
        return None
    told = []
    for key in costs["routes-first"]:
        times = costs["routes-last"][key].cpu_us / costs["routes-first"][key].cpu_us
        told.append(f"{key} {times:.2f} ×")
        if key == "xumi-plain":
            told[-1] += f" (target ≤ {LAST_TO_FIRST}: {'met' if times <= LAST_TO_FIRST else 'MISSED'})"
    return f"the last of 152 routes costs the first's CPU: {', '.join(told)}"


def save(
    folder: Path, date: datetime, cores: Cores, arguments: Mapping[str, Any], all_measured: Sequence[Measured]
) -> Path:
    """Writes the run with everything needed to judge it later; returns the file."""
    document = {
        "date": date.isoformat(),
        "machine": _machine(cores),
        "versions": describe_versions(),
        "method": {"connections": CONNECTIONS, "warm_up_seconds": WARM_UP_SECONDS, **arguments},
        "measured": [_document(measured) for measured in all_measured],
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{date:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def _document(measured: Measured) -> dict[str, Any]:
    summaries = measured.summaries()
    references = [
        key for key in ("limit", "bare", "lean", "litestar", "fastapi", "flask") if key in summaries
    ]
    return {
        "scenario": measured.scenario,
        "title": measured.title,
        "database": f"{measured.database} {measured.database_version}",
        "variants": {
            key: {
                "median": asdict(summary),
                "times_as_good_as": {each: ratio(summaries, key, each) for each in references if each != key},
                "rounds": [asdict(each) for each in measured.rounds[key]],
            }
            for key, summary in summaries.items()
        },
    }


def _machine(cores: Cores) -> dict[str, Any]:
    return {
        **describe_machine(),
        "servers_on_core": cores.servers,
        "load_and_database_on_core": cores.load,
    }
