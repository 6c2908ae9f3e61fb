"""Where revisions are kept, who owns them, and whether a database has them all.

The library's revisions are in `xumi/migrations/versions`, a project's in `./migrations/versions`. Each owner has one head and
a version table of its own. A server that starts on a database at head needs no more than this file: Alembic is imported by
who migrates.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import xumi.migrations
from xumi.kernel.db.errors import translate
from xumi.kernel.db.runner import Query
from xumi.kernel.errors import StartError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from xumi.kernel.db.runner import Runner

OwnerName = Literal["library", "project"]

ENVIRONMENT = Path(xumi.migrations.__file__).parent

# As `xumi db revision` writes them.
_REVISION = re.compile(r"""^revision(?:: str)? = (["'])([^"'\\\n]+)\1$""", re.MULTILINE)
_FOLLOWS = re.compile(r"""^down_revision(?:: [^=\n]+)? = (?:None|(["'])([^"'\\\n]+)\1)$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose revisions.

    Attributes:
        name: `library` or `project`.
        versions: the folder of the revision files.
        version_table: where the database notes the present revision.
        version_query: reads it.
    """

    name: OwnerName
    versions: Path
    version_table: str
    version_query: Query

    @property
    def scripts(self) -> ScriptDirectory:
        """The revisions as they are on disk now."""
        from alembic.script import ScriptDirectory

        return ScriptDirectory(str(ENVIRONMENT), version_locations=[str(self.versions)])

    def head(self) -> str | None:
        """The newest revision; None if there is none.

        Raises:
            StartError: there is more than one.
        """
        heads = self.scripts.get_heads()
        if len(heads) > 1:
            raise StartError(
                f"{self.versions} has {len(heads)} newest revisions ({', '.join(heads)}): let one follow the other by its "
                "down_revision."
            )
        return heads[0] if heads else None


def library() -> Owner:
    """Xumi's own tables."""
    return Owner(
        "library", ENVIRONMENT / "versions", "xumi_version", Query("SELECT version_num FROM xumi_version", ())
    )


def project(directory: Path | None = None) -> Owner:
    """The tables of the project in `directory`, by default the working directory."""
    versions = (directory or Path.cwd()) / "migrations" / "versions"
    return Owner("project", versions, "project_version", Query("SELECT version_num FROM project_version", ()))


def owners(directory: Path | None = None) -> list[Owner]:
    """All that have revisions, in the order in which they are applied."""
    return [owner for owner in (library(), project(directory)) if owner.versions.is_dir()]


async def heads_reached(runner: Runner, directory: Path | None = None) -> bool:
    """Whether the database has every revision that this process knows; one short query per owner.

    Raises:
        StartError: an owner has two heads.
        Exception: what the driver says when the database is away.
    """
    for owner in owners(directory):
        head = known_head(owner)
        try:
            rows = await runner.fetch(owner.version_query)
        except Exception as error:
            if translate(error) is not None:
                raise
            # The table is not there: nothing has been applied.
            rows = ()
        if [row[0] for row in rows] != ([head] if head else []):
            return False
    return True


@functools.cache
def known_head(owner: Owner) -> str | None:
    """The newest revision as of the first call in this process.

    Raises:
        StartError: there is more than one.
    """
    try:
        return head_in_text(owner.versions)
    except ValueError:
        return owner.head()


def head_in_text(versions: Path) -> str | None:
    """The last of the revisions by the text of their files, which takes a hundredth of the time that Alembic takes to start.

    Raises:
        ValueError: the files are not one plain line of revisions; Alembic must tell what they are.
    """
    before: dict[str, str | None] = {}
    for file in versions.glob("*.py"):
        if file.name.startswith(("__init__", ".#")):
            continue
        text = file.read_text(encoding="utf-8")
        names, followed = _REVISION.findall(text), _FOLLOWS.findall(text)
        if len(names) != 1 or len(followed) != 1 or names[0][1] in before:
            raise ValueError(f"{file} does not say plainly which revision it is.")
        before[names[0][1]] = followed[0][1] or None
    if not before:
        return None
    heads = before.keys() - before.values()
    head = next(iter(heads)) if len(heads) == 1 else None
    step, seen = head, 0
    while step in before and seen <= len(before):
        step, seen = before[step], seen + 1
    if head is None or step is not None or seen != len(before):
        raise ValueError(f"{versions} does not hold one line of revisions.")
    return head
