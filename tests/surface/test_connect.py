"""`connect`: the exceptions, the alternatives, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import errno
import warnings

import pytest

import aiosctp
from aiosctp.testing import Host
from aiosctp.wire.chunks import Abort, CookieAck, InitAck
from tests.surface.two_hosts import PORT, TwoHosts, chunk_type
from tests.surface.virtual_time import virtual_time


def assert_nothing_is_left(stack: aiosctp.Stack) -> None:
    assert not stack.associations()
    assert not stack.open().endpoints
    assert not stack.owners


@virtual_time
async def test_awaiting_connect_returns_an_established_association() -> None:
    """A09: connect() of the one-to-one style opens an association, with the streams that both sides agree on."""
    async with TwoHosts() as hosts, await hosts.serve(outbound_streams=20):
        association = await hosts.connect(outbound_streams=10)
        assert association.state is aiosctp.AssociationState.ESTABLISHED
        assert (association.outbound_streams, association.inbound_streams) == (10, 20)
        await association.shutdown()


@virtual_time
async def test_connect_runs_as_a_task() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        association = await asyncio.create_task(aiosctp.connect("192.0.2.2", PORT, stack=hosts.client))
        await association.shutdown()


@virtual_time
async def test_a_port_that_nobody_serves_refuses() -> None:
    """I03: the peer answers INIT with ABORT: ConnectionRefusedError."""
    async with TwoHosts() as hosts:
        with pytest.raises(aiosctp.AssociationRefused) as caught:
            await hosts.connect()
        assert caught.value.errno == errno.ECONNREFUSED
        assert isinstance(caught.value, ConnectionRefusedError)
        assert f"192.0.2.2 (SCTP port {PORT}, UDP port 9899)" in str(caught.value)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_a_udp_port_that_nobody_serves_refuses_where_icmp_says_so() -> None:
    async with TwoHosts() as hosts:
        with pytest.raises(aiosctp.AssociationRefused, match=r"UDP port 1\) has nobody"):
            await aiosctp.connect("192.0.2.2", PORT, remote_udp_port=1, stack=hosts.client)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_a_silent_peer_times_out_after_max_init_retransmits() -> None:
    """I02: connect gives up after Max.Init.Retransmits with ConnectTimeout."""
    async with TwoHosts(config=aiosctp.Config(max_init_retransmits=3)) as hosts:
        hosts.drop = lambda packet: True
        began = hosts.client.now()
        with pytest.raises(aiosctp.ConnectTimeout) as caught:
            await hosts.connect()
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.errno == errno.ETIMEDOUT
        assert f"192.0.2.2 (SCTP port {PORT}, UDP port 9899) did not answer" in str(caught.value)
        # 1 + 2 + 4 + 8 seconds of RTO.
        assert hosts.client.now() - began == pytest.approx(15, abs=0.1)
        assert len(hosts.log) == 4
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_the_timeout_bounds_the_whole_call() -> None:
    async with TwoHosts() as hosts:
        hosts.drop = lambda packet: True
        began = hosts.client.now()
        told = rf"192\.0\.2\.2 \(SCTP port {PORT}, UDP port 9899\) did not answer within 2\.5 seconds"
        with pytest.raises(aiosctp.ConnectTimeout, match=told):
            await hosts.connect(timeout=2.5)
        assert hosts.client.now() - began == pytest.approx(2.5, abs=0.01)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_cancelling_before_any_answer_leaves_nothing_and_sends_nothing() -> None:
    async with TwoHosts() as hosts:
        task = asyncio.create_task(aiosctp.connect("192.0.2.2", PORT, stack=hosts.client))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert all(chunk_type(packet) != Abort.type for packet in hosts.log)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_cancelling_after_the_init_ack_aborts() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        hosts.drop = lambda packet: chunk_type(packet) == CookieAck.type
        with pytest.raises(aiosctp.ConnectTimeout):
            await hosts.connect(timeout=0.5)
        await asyncio.sleep(0)
        assert chunk_type(hosts.log[-1]) == Abort.type
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_cancelling_while_a_name_is_resolved_leaves_nothing() -> None:
    async with TwoHosts() as hosts:

        async def forever(host: str) -> list[str]:
            await asyncio.Event().wait()
            return []

        hosts.client_host.resolve = forever  # type: ignore[method-assign]  # a resolver that never answers
        with pytest.raises(aiosctp.ConnectTimeout):
            await aiosctp.connect("slow.example", PORT, timeout=1, stack=hosts.client)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_connect_is_a_coroutine_that_can_be_driven_thrown_into_and_closed() -> None:
    async with TwoHosts() as hosts:
        hosts.drop = lambda packet: True
        never_begun = aiosctp.connect("192.0.2.2", PORT, stack=hosts.client)
        never_begun.close()
        thrown_into = aiosctp.connect("192.0.2.2", PORT, stack=hosts.client)
        with pytest.raises(ZeroDivisionError):
            thrown_into.throw(ZeroDivisionError())
        closed = aiosctp.connect("192.0.2.2", PORT, stack=hosts.client)
        assert closed.send(None) is not None
        assert len(hosts.client.owners) == 1
        closed.close()
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_an_association_that_the_peer_ends_in_the_same_turn_was_connected() -> None:
    async def leave(association: aiosctp.Association) -> None:
        association.abort(b"at once")

    async with TwoHosts() as hosts, await aiosctp.serve(leave, None, PORT, stack=hosts.server):
        ours = await hosts.connect()
        with pytest.raises(aiosctp.AssociationAborted):
            await ours.receive()
        assert [event async for event in ours.events()] == []
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_the_addresses_of_a_name_are_tried_a_quarter_of_a_second_apart() -> None:
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        hosts.network.names["peer.example"] = ["198.51.100.1", "192.0.2.3", "192.0.2.2"]
        async with await hosts.serve():
            began = hosts.client.now()
            async with aiosctp.connect("peer.example", PORT, stack=hosts.client) as association:
                assert association.primary_path.address == ("192.0.2.3", PORT)
                assert hosts.client.now() - began == pytest.approx(0.29, abs=0.001)
                assert len(hosts.client.associations()) == 1
                assert len(hosts.client.owners) == 1
            inits = [packet.destination for packet in hosts.log if chunk_type(packet) == 1]
            assert inits == ["198.51.100.1", "192.0.2.3"]
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_the_first_init_ack_wins_and_the_losers_are_aborted() -> None:
    # Both answers are under way when the first arrives.
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3"), delay_s=0.2) as hosts:
        hosts.network.names["peer.example"] = ["192.0.2.2", "192.0.2.3"]
        async with await hosts.serve() as server, aiosctp.connect("peer.example", PORT, stack=hosts.client) as ours:
            assert ours.primary_path.address == ("192.0.2.2", PORT)
            await asyncio.sleep(2)
            assert len(server.associations) == 1
            assert len(hosts.client.owners) == 1


@virtual_time
async def test_an_address_that_refuses_makes_way_for_the_next_at_once() -> None:
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        hosts.network.names["peer.example"] = ["192.0.2.2", "192.0.2.3"]
        async with await aiosctp.serve(hosts.keep, "192.0.2.3", PORT, stack=hosts.server):
            began = hosts.client.now()
            async with aiosctp.connect("peer.example", PORT, stack=hosts.client) as association:
                assert association.primary_path.address == ("192.0.2.3", PORT)
                assert hosts.client.now() - began < 0.1


@virtual_time
async def test_when_every_address_refuses_that_is_raised() -> None:
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        hosts.network.names["peer.example"] = ["192.0.2.2", "192.0.2.3"]
        with pytest.raises(aiosctp.AssociationRefused):
            await aiosctp.connect("peer.example", PORT, stack=hosts.client)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_a_stack_that_is_closed_meanwhile_ends_the_attempt_and_begins_no_other() -> None:
    """E14: what is raised is how the attempt ended, not that the next can't be made on a closed stack."""
    async with TwoHosts() as hosts:
        hosts.network.names["peer.example"] = ["198.51.100.1", "198.51.100.2"]
        task = asyncio.create_task(aiosctp.connect("peer.example", PORT, stack=hosts.client))
        await asyncio.sleep(0.1)
        hosts.client.close()
        with pytest.raises(aiosctp.AssociationAborted):
            await task


@virtual_time
async def test_a_list_of_hosts_is_one_multi_homed_peer() -> None:
    """E06: several addresses of one peer; INIT goes to the next when one does not answer."""
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        hosts.drop = lambda packet: packet.destination == "192.0.2.2"
        async with await hosts.serve():
            association = await aiosctp.connect(["192.0.2.2", "192.0.2.3"], PORT, stack=hosts.client)
            assert set(association.peer_addresses) == {("192.0.2.2", PORT), ("192.0.2.3", PORT)}
            association.abort()


@virtual_time
async def test_a_name_that_does_not_resolve_raises_the_resolvers_error() -> None:
    async with TwoHosts() as hosts:
        with pytest.raises(OSError, match="nowhere"):
            await aiosctp.connect("nowhere.example", PORT, stack=hosts.client)
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_a_resolver_that_times_out_raises_its_own_error() -> None:
    async with TwoHosts() as hosts:

        async def too_slow(host: str) -> list[str]:
            raise TimeoutError(errno.ETIMEDOUT, "the name server does not answer")

        hosts.client_host.resolve = too_slow  # type: ignore[method-assign]  # another resolver
        for timeout in (None, 10):
            with pytest.raises(TimeoutError, match="name server") as caught:
                await aiosctp.connect("slow.example", PORT, timeout=timeout, stack=hosts.client)
            assert not isinstance(caught.value, aiosctp.ConnectTimeout)


def test_a_connect_that_is_never_awaited_warns() -> None:
    forgotten = [aiosctp.connect("192.0.2.2", PORT)]
    with pytest.warns(RuntimeWarning, match=r"connect\(\.\.\.\) was never awaited"):
        forgotten.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aiosctp.connect("192.0.2.2", PORT).close()
        with pytest.raises(ValueError, match="port"):
            aiosctp.connect("192.0.2.2", 0)


@virtual_time
async def test_a_peer_of_a_family_we_lack_is_eaddrnotavail() -> None:
    async with TwoHosts() as hosts:
        with pytest.raises(OSError, match="family") as caught:
            await aiosctp.connect("2001:db8::1", PORT, stack=hosts.client)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        assert_nothing_is_left(hosts.client)


@virtual_time
async def test_a_second_association_with_the_same_peer_and_ports_is_eisconn() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        first = await hosts.connect(local_port=5000)
        with pytest.raises(OSError, match="from this port") as caught:
            await hosts.connect(local_port=5000)
        assert caught.value.errno == errno.EISCONN
        await first.shutdown()
        again = await hosts.connect(local_port=5000)
        await again.shutdown()


@virtual_time
async def test_another_address_of_the_same_peer_makes_no_second_association() -> None:
    """E06: "MUST NOT have more than one SCTP association between them at any given time" (§1.3)."""
    hosts = TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3"))
    async with hosts, await hosts.serve():
        first = await hosts.connect(local_port=5000)
        with pytest.raises(OSError, match="from this port") as caught:
            await aiosctp.connect("192.0.2.3", PORT, stack=hosts.client, local_port=5000)
        assert caught.value.errno == errno.EISCONN
        await first.shutdown()


@virtual_time
async def test_local_addresses_restrict_what_is_offered_not_what_is_bound() -> None:
    """A05: an association may use one of the bound addresses only."""
    async with TwoHosts(client_addresses=("192.0.2.1", "192.0.2.9")) as hosts, await hosts.serve():
        ours, theirs = await hosts.pair(local_addresses="192.0.2.9")
        assert theirs.peer_addresses == (("192.0.2.9", ours.local_addresses[0][1]),)
        assert hosts.client.local_addresses == ("192.0.2.1", "192.0.2.9")
        with pytest.raises(OSError, match=r"192\.0\.2\.77.*Stack\(local_addresses=") as caught:
            await hosts.connect(local_addresses=["192.0.2.77"])
        assert caught.value.errno == errno.EADDRNOTAVAIL
        await ours.shutdown()


@virtual_time
async def test_link_local_hosts_are_reached_by_an_interface_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number in place of the interface's name is what the network makes of it, for peers and for our own hosts."""
    hosts = TwoHosts(client_addresses=("fe80::1%eth0",), server_addresses=("fe80::2%eth0", "192.0.2.2"))
    resolve = Host.resolve

    async def by_number(host: Host, name: str) -> list[str]:
        return await resolve(host, name.replace("%2", "%eth0"))

    monkeypatch.setattr(Host, "resolve", by_number)
    async with hosts:
        await aiosctp.serve(hosts.keep, "fe80::2%2", PORT, stack=hosts.server)
        association = await aiosctp.connect("fe80::2%2", PORT, local_addresses="fe80::1%2", stack=hosts.client)
        assert association.peer_addresses == (("fe80::2%eth0", PORT),)
        assert association.local_addresses[0][0] == "fe80::1%eth0"
        with pytest.raises(OSError, match="no interface nope") as caught:
            await aiosctp.connect("fe80::2%nope", PORT, stack=hosts.client)
        assert caught.value.errno == errno.ENODEV
        with pytest.raises(OSError, match="no interface nope"):
            await aiosctp.connect("fe80::2%eth0", PORT, local_addresses="fe80::1%nope", stack=hosts.client)
        assert len(hosts.client.owners) == 1
        association.abort()


@virtual_time
async def test_an_init_ack_that_comes_too_late_is_no_association() -> None:
    async with TwoHosts(delay_s=1.0) as hosts, await hosts.serve() as server:
        with pytest.raises(aiosctp.ConnectTimeout):
            await hosts.connect(timeout=1.5)
        await asyncio.sleep(5)
        assert any(chunk_type(packet) == InitAck.type for packet in hosts.log)
        assert not server.associations
        assert_nothing_is_left(hosts.client)


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_sctp_speaks_to_unicast_addresses_only(host: str) -> None:
    """A43: no broadcast and no multicast."""
    with pytest.raises(ValueError, match="unicast"):
        aiosctp.connect(host, PORT)


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"host": 7}, TypeError, "host"),
        ({"host": ""}, ValueError, "host"),
        ({"host": [7]}, TypeError, "host"),
        ({"port": "7"}, TypeError, "port"),
        ({"port": 0}, ValueError, "port"),
        ({"port": 65536}, ValueError, "port"),
        ({"remote_udp_port": 0}, ValueError, "remote_udp_port"),
        ({"udp_port": -1}, ValueError, "udp_port"),
        ({"local_port": True}, TypeError, "local_port"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"timeout": float("nan")}, ValueError, "timeout"),
        ({"outbound_streams": 0}, ValueError, "outbound_streams"),
        ({"local_addresses": "nonsense"}, ValueError, "local_addresses"),
        ({"local_addresses": []}, ValueError, "local_addresses"),
        ({"stack": aiosctp.Stack(), "udp_port": 9899}, ValueError, "udp_port"),
    ],
)
def test_wrong_arguments_are_named_before_anything_happens(
    arguments: dict[str, object], error: type[Exception], named: str
) -> None:
    """I05: a bad address or port is a ValueError."""
    with pytest.raises(error, match=named):
        aiosctp.connect(**{"host": "192.0.2.2", "port": PORT} | arguments)  # type: ignore[arg-type]  # wrong on purpose
