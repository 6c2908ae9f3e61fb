"""Files of settings for a test, and what a refusal says."""

from pathlib import Path

import pytest

from xumi.kernel.config import load
from xumi.kernel.errors import StartError

STRONG = "q3Zt8vYw1LxR6nBk0JsHd5Fg7MpCu2Ea9XeTiO4bVhWlNy"
OTHER = "mA7cP2zK9dQ4xW1vT6yR3uE8sL5gJ0hFbNnMkIjUoYtXr"
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": STRONG,
    "JWT_SECRET_KEY": OTHER,
    "DATABASE_URL": "postgresql://xumi:pw@db/xumi",
}


def write(directory: Path, **files: str) -> Path:
    names = {"dev_env": "dev.env", "env": ".env", "yaml": "config.yaml"}
    for name, text in files.items():
        (directory / names[name]).write_text(text, encoding="utf-8")
    return directory


def refusal(directory: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(StartError) as caught:
        load(directory, environ or {})
    return str(caught.value)
