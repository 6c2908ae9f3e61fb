"""Each test has no sections and no settings of the process."""

import pytest

from xumi.kernel.config import registry, running


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(running, "_process_settings", None)
