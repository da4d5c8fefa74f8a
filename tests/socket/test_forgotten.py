"""Sockets that nobody has closed, and nobody has any more."""

from __future__ import annotations

import gc

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.socket.pairs import listener
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_a_socket_that_is_bound_and_forgotten_warns(type: int) -> None:
    """As the standard library's. One that only has options holds nothing."""
    async with TwoHosts() as hosts:
        sock = SCTPSocket(sctp.AF_INET, type, stack=hosts.server)
        sock.bind(("", 7))
        with pytest.warns(ResourceWarning, match="unclosed <SCTPSocket"):
            del sock


@virtual_time
async def test_a_listening_socket_that_is_forgotten_warns_when_its_stack_is_closed() -> None:
    """Until then peers may still come, and the stack knows it: it must not keep it for longer."""
    async with TwoHosts() as hosts:
        listener(hosts)
        gc.collect()
        with pytest.warns(ResourceWarning, match="unclosed <SCTPSocket"):
            await hosts.server.__aexit__(None, None, None)
