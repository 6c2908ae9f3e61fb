"""Where revisions are kept, who owns them, and whether a database has them all.

The library's revisions are in `xumi/migrations/versions`, a project's in `./migrations/versions`. Each owner has one head and
a version table of its own. This module needs no Alembic, which takes 100 ms to import and has nothing to do at most starts.
"""

import ast
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import xumi.migrations
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import translate
from xumi.kernel.db.runner import Query
from xumi.kernel.errors import StartError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

OwnerName = Literal["library", "project"]

ENVIRONMENT = Path(xumi.migrations.__file__).parent


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
    def scripts(self) -> "ScriptDirectory":
        """The revisions as they are on disk now."""
        from alembic.script import ScriptDirectory

        return ScriptDirectory(str(ENVIRONMENT), version_locations=[str(self.versions)])

    def head(self) -> str | None:
        """The newest revision; None if there is none.

        Raises:
            StartError: there is more than one.
        """
        heads = _read_heads(self.versions) or self.scripts.get_heads()
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


@functools.cache
def known_head(owner: Owner) -> str | None:
    """The newest revision as of the first call in this process."""
    return owner.head()


def _read_heads(versions: Path) -> list[str]:
    """The revisions that no other follows, as the files say; none where one of them says it in a way of its own."""
    follows: dict[str, set[str]] = {}
    for path in versions.glob("*.py"):
        said = {
            target.id: node.value
            for node in ast.parse(path.read_bytes()).body
            for target in _targets(node)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        }
        try:
            revision = ast.literal_eval(said["revision"])
            before = ast.literal_eval(said["down_revision"])
        except (KeyError, ValueError):
            return []
        follows[revision] = set(before) if isinstance(before, tuple | list) else {before}
    return sorted(follows.keys() - set().union(*follows.values()))


def _targets(node: ast.stmt) -> list[ast.Name]:
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [target for target in targets if isinstance(target, ast.Name)]


async def heads_reached(database: Database, directory: Path | None = None) -> bool:
    """Whether the database has every revision that this process knows; one short query per owner.

    Raises:
        Exception: what the driver says when the database is away.
    """
    for owner in owners(directory):
        head = known_head(owner)
        try:
            rows = await database.read.runner.fetch(owner.version_query)
        except Exception as error:
            if translate(error) is not None:
                raise
            # The table is not there: nothing has been applied.
            rows = ()
        if [row[0] for row in rows] != ([head] if head else []):
            return False
    return True
