from __future__ import annotations

import pytest

from aiosctp.core import shortcuts


@pytest.fixture(params=[True, False], ids=["short ways open", "short ways closed"], autouse=True)
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the RFC says holds of the short way and of the general one."""
    monkeypatch.setattr(shortcuts, "are_open", request.param)
