"""The reviewed file of who may call what: one line for each route, a status for each caller.

    # METHOD path            permission  anonymous user owner other clerk admin
    GET    /auth/sessions    session:list      401  200   200   200   200   200

`user` names an id that does not exist where a route takes one; `owner` names his own object, and so do all others.
"""

from collections.abc import Mapping
from pathlib import Path

from xumi.kernel.http.router import Route

FILE = Path(__file__).with_name("access_matrix.txt")
CALLERS = ("anonymous", "user", "owner", "other", "clerk", "admin")
WRITE = "python -m pytest tests/security/test_access_matrix.py --write-matrix"

Matrix = Mapping[str, tuple[str, ...]]


def describe(route: Route) -> str:
    """A route and its permission, as a line begins."""
    return f"{route.label} {route.policy.permission or 'public'}"


def read() -> Matrix:
    """What was reviewed: by route and permission, the statuses in the order of `CALLERS`."""
    lines = [line.split() for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return {" ".join(words[:3]): tuple(words[3:]) for words in lines}


def render(matrix: Matrix, note: str) -> str:
    """The file's text."""
    rows = {"# method path permission": CALLERS, **matrix}
    lines = []
    for key, statuses in rows.items():
        # Fixed widths, so that a new route changes no other line.
        method, path, permission = key.removeprefix("# ").split(" ")
        cells = "  ".join(status.rjust(len(who)) for who, status in zip(CALLERS, statuses, strict=True))
        lines.append(
            f"{'# ' if key[0] == '#' else ''}{method}".ljust(8) + f" {path:48} {permission:24} {cells}"
        )
    return "\n".join([f"# {line}" for line in note.splitlines()] + lines) + "\n"


def explain(reviewed: Matrix, found: Matrix) -> list[str]:
    """What differs, one line for each route, with the line that would make it right."""
    wrong = []
    for key in sorted(reviewed.keys() | found.keys()):
        if key not in found:
            wrong.append(f"{key}: there is no such route any more; take its line out")
        elif key not in reviewed:
            wrong.append(f"{key}: has no line; if these answers are right, add: {key} {' '.join(found[key])}")
        elif reviewed[key] != found[key]:
            cells = zip(CALLERS, reviewed[key], found[key], strict=False)
            wrong += [f"{key}: {who} gets {now}, reviewed was {was}" for who, was, now in cells if was != now]
    return wrong
