"""Which SCTP ports may be bound: `Stack.port_policy`."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.testing import Network
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

Use = Callable[[TwoHosts, int], Awaitable[Any]]


def by_serve(hosts: TwoHosts, port: int) -> Awaitable[Any]:
    return aiosctp.serve(hosts.keep, None, port, stack=hosts.client)


def by_start_server(hosts: TwoHosts, port: int) -> Awaitable[Any]:
    return aiosctp.start_server(lambda reader, writer: None, None, port, stack=hosts.client)


def by_connect(hosts: TwoHosts, port: int) -> Awaitable[Any]:
    return hosts.connect(local_port=port)


@pytest.mark.parametrize("use", [by_serve, by_start_server, by_connect])
@virtual_time
async def test_a_port_below_1024_is_for_the_superuser_where_the_policy_says_so(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A44, I06: EPERM wherever a port is bound, and nothing has changed; port 0 is no port that anybody asked for."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    async with TwoHosts() as hosts, await hosts.serve():
        hosts.client.port_policy = aiosctp.privileged_ports
        with pytest.raises(PermissionError, match="1023") as caught:
            await use(hosts, 1023)
        assert caught.value.errno == errno.EPERM
        assert not hosts.log
        assert not hosts.client.open().endpoints
        await use(hosts, 0)
        await use(hosts, 1024)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        await use(hosts, 1023)
        assert sorted(hosts.client.open().endpoints)[:2] == [1023, 1024]


@virtual_time
async def test_a_privileged_port_goes_on_to_accept_and_opens_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A44: "accepting new associations might be permitted, but opening new associations should not be permitted": the
    server has bound its port and dropped its privileges."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    async with TwoHosts() as hosts, await aiosctp.serve(hosts.keep, None, 7, stack=hosts.server):
        hosts.server.port_policy = aiosctp.privileged_ports
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        ours = await aiosctp.connect("192.0.2.2", 7, stack=hosts.client)
        theirs = await hosts.accepted.get()
        assert theirs.state is aiosctp.AssociationState.ESTABLISHED
        with pytest.raises(PermissionError):
            await aiosctp.connect("192.0.2.1", 7777, stack=hosts.server, local_port=7)
        hosts.server.port_policy = None
        with pytest.raises(aiosctp.AssociationRefused):
            await aiosctp.connect("192.0.2.1", 7777, stack=hosts.server, local_port=7)
        await ours.shutdown()


def test_where_there_are_no_user_ids_every_port_may_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert aiosctp.privileged_ports(1)


@virtual_time
async def test_without_a_policy_every_port_may_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A44: over UDP no operating system guards an SCTP port."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    async with TwoHosts() as hosts, await aiosctp.serve(hosts.keep, None, 1, stack=hosts.server) as server:
        assert (server.port, hosts.server.port_policy) == (1, None)


@virtual_time
async def test_a_policy_is_the_programs_own_function() -> None:
    asked: list[int] = []
    host = Network().host("a", "192.0.2.1")

    def policy(port: int) -> bool:
        asked.append(port)
        return port == 7777

    async with aiosctp.Stack(network=host, port_policy=policy) as stack, TwoHosts() as hosts:
        assert stack.port_policy is policy
        with pytest.raises(PermissionError):
            await aiosctp.serve(hosts.keep, None, 7778, stack=stack)
        await aiosctp.serve(hosts.keep, None, 7777, stack=stack)
        await aiosctp.serve(hosts.keep, None, 0, stack=stack)
        assert asked == [7778, 7777]


async def waits(port: int) -> bool:
    return True


@pytest.mark.parametrize("policy", [7, "privileged", waits])
def test_what_is_no_plain_function_is_refused(policy: Any) -> None:
    with pytest.raises(TypeError, match="port_policy"):
        aiosctp.Stack(port_policy=policy)
    stack = aiosctp.Stack()
    with pytest.raises(TypeError, match="port_policy"):
        stack.port_policy = policy
    assert stack.port_policy is None
