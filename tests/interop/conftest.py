"""Fixtures of the interoperability tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.interop.namespace import Namespace
from tests.interop.toolchain import compile_peer
from tests.interop.usrsctp import Usrsctp


@pytest.fixture(scope="session")
def usrsctp_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usrsctp peer, compiled once."""
    return compile_peer(tmp_path_factory.mktemp("usrsctp"))


@pytest.fixture
async def usrsctp(usrsctp_program: Path) -> AsyncIterator[Usrsctp]:
    """Starts usrsctp peers and ends them after the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Usrsctp(usrsctp_program, stack)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network namespace with 127.0.0.1 and 127.0.0.2."""
    with Namespace() as namespace:
        yield namespace
