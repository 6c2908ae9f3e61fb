"""Secrets for development: made at the first start and kept, so that sessions outlive a restart."""

import json
import os
import secrets
from pathlib import Path

from xumi.kernel.config.production import SECRET_NAMES
from xumi.kernel.errors import StartError

SECRETS_FILE = Path("data/secrets.json")


def kept_secrets(path: Path) -> dict[str, str]:
    """The secrets in this file by setting, made now if it does not exist.

    Raises:
        StartError: the file cannot be written or read.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_once(path, json.dumps({name: secrets.token_urlsafe(48) for name in SECRET_NAMES}))
        kept = json.loads(path.read_text())
        return {name: str(kept[name]) for name in SECRET_NAMES}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StartError(
            f"The secrets of development cannot be kept in {path} ({error!r}): set SECRET_KEY and JWT_SECRET_KEY, "
            "or make the folder writable and remove a damaged file."
        ) from error


def write_once(path: Path, text: str) -> None:
    """Several workers may start at the same time: the first one's file counts, and none sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
