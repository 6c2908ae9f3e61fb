"""What a siege has found out: printed always, and kept in `benchmarks/results` when it was run at full scale."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe_machine, describe_versions
from tests.siege.scale import is_full

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def record(name: str, figures: Mapping[str, object]) -> None:
    """Print figures; with `SIEGE=1` write `siege-<name>.json` anew, with date, machine and versions.

    Args:
        name: lower-case words joined by hyphens.
        figures: what JSON can hold; times carry their unit in their names.

    Raises:
        ValueError: the name is no file name.
    """
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name):
        raise ValueError(f"{name!r} is no name of a siege: use lower-case words joined by hyphens")
    document = {
        "date": datetime.now(UTC).isoformat(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "figures": dict(figures),
    }
    print(f"siege {name}: {json.dumps(document['figures'], ensure_ascii=False)}")
    if is_full():
        path = RESULTS / f"siege-{name}.json"
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
