"""What the commands have in common: the settings they work with, and tables."""

from collections.abc import Iterable, Sequence

from xumi.kernel.config import Settings, load, use


def settings_in_force(**overrides: object) -> Settings:
    """Load the settings, make them the process's, and return them; overrides of None do not count.

    Raises:
        StartError: they cannot be loaded.
    """
    settings = load(
        overrides={name: value for name, value in overrides.items() if value is not None}
    ).settings
    use(settings)
    return settings


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows with aligned columns."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
