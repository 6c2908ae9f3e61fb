"""`python -m benchmarks.tables results/X.json` prints the run as Markdown, to be pasted into the documentation."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.servers import VARIANTS


def markdown(document: Mapping[str, Any]) -> str:
    """One table for each scenario and database of a results file; times are CPU time of the server's processes."""
    machine, method = document["machine"], document["method"]
    lines = [
        f"Measured {document['date'][:10]} on {machine['processor']}, {machine['cores']} cores, Python"
        f" {document['versions']['python']}; {method['rounds']} rounds of {method['seconds']} s,"
        f" {method['connections']} connections.",
    ]
    for measured in document["measured"]:
        lines += [
            "",
            f"**`{measured['scenario']}`: {measured['title']}; {measured['database']}**",
            "",
            *_table(measured["variants"]),
        ]
    return "\n".join(lines)


def _table(variants: Mapping[str, Any]) -> list[str]:
    titles = {variant.key: variant.title for variant in VARIANTS}
    limit = variants.get("limit", {}).get("median")
    lines = ["| | CPU µs a request | requests/s | p99 ms | of the limit (CPU) |", "|---|--:|--:|--:|--:|"]
    for key, variant in variants.items():
        this = variant["median"]
        share = f"{limit['cpu_us'] / this['cpu_us']:.0%}" if limit else "–"
        cells = f"{this['cpu_us']:,.0f} | {this['per_second']:,.0f} | {this['p99_ms']:.0f} | {share}"
        lines.append(f"| {titles.get(key, key)} | {cells} |")
    return lines


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
