"""What sweeps of crashes share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """What the invariants are asked of."""
    engine = sync_engine(parse_url(database_url)[1])
    yield engine
    engine.dispose()
