"""Hosts: names, addresses, ports, contexts, crashes."""

from __future__ import annotations

import asyncio
import errno
import gc
import re
import socket
from typing import Any

import pytest

import aiosctp
from aiosctp.core.datagram import Datagram
from aiosctp.network import SystemNetwork, current_network
from aiosctp.testing import Host, Link, Network
from aiosctp.testing import host as module
from aiosctp.testing.host import EPHEMERAL_PORTS
from tests.surface.virtual_time import virtual_time
from tests.testing.recorder import Recorder, settle

PORT = 7777


def two_hosts(**options: Any) -> tuple[Network, Host, Host]:
    network = Network(seed=1, **options)
    return network, network.host("a", "192.0.2.1", "192.0.2.11"), network.host("z", "192.0.2.2")


# -- names and addresses --


def test_a_host_is_made_once_and_found_by_its_name() -> None:
    network, a, z = two_hosts()
    assert network.host("a") is a
    assert network.hosts == (a, z)
    assert network.host_of("192.0.2.11") is a
    assert network.host_of("192.0.2.9") is None
    assert repr(a) == "<Host a, 192.0.2.1, 192.0.2.11>"


def test_hosts_without_addresses_get_the_next_free_one() -> None:
    network = Network()
    taken = network.host("taken", "10.0.0.2")
    assert [network.host(name).addresses for name in ("a", "b")] == [("10.0.0.1",), ("10.0.0.3",)]
    assert taken.local_addresses() == ["10.0.0.2"]


def test_addresses_run_out() -> None:
    network = Network()
    for number in range(254):
        network.host(f"host{number}")
    with pytest.raises(ValueError, match="addresses must be given"):
        network.host("one too many")


def test_addresses_are_canonical() -> None:
    host = Network().host("a", "2001:DB8:0::1", "::ffff:192.0.2.1")
    assert host.addresses == ("2001:db8::1", "192.0.2.1")


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        (("a", "192.0.2.9"), ValueError, "name 'a' is taken"),
        (("b", "192.0.2.1"), ValueError, "addresses: 192.0.2.1 is taken by <Host a"),
        (("b", "nonsense"), ValueError, "addresses"),
        (("b", "224.0.0.1"), ValueError, "addresses must be unicast"),
        (("b", 1), TypeError, "addresses"),
        ((1,), TypeError, "name"),
        (("",), ValueError, "name"),
        (("192.0.2.9",), ValueError, "name"),
    ],
)
def test_bad_hosts_are_refused(arguments: tuple[Any, ...], error: type[Exception], name: str) -> None:
    network, _, _ = two_hosts()
    with pytest.raises(error, match=name):
        network.host(*arguments)
    assert len(network.hosts) == 2


@virtual_time
async def test_names_are_those_of_hosts_and_those_that_are_told() -> None:
    network, a, z = two_hosts()
    network.names["service.example"] = ["192.0.2.2", "192.0.2.11"]
    assert await a.resolve("z") == ["192.0.2.2"]
    assert await z.resolve("a") == ["192.0.2.1", "192.0.2.11"]
    assert await a.resolve("service.example") == ["192.0.2.2", "192.0.2.11"]
    assert await a.resolve("2001:DB8::1") == ["2001:db8::1"]
    with pytest.raises(socket.gaierror, match=re.escape("nobody.example")):
        await a.resolve("nobody.example")


@virtual_time
async def test_addresses_of_our_families_come_first() -> None:
    network, a, _ = two_hosts()
    network.host("both", "2001:db8::1", "192.0.2.7", "2001:db8::2")
    assert await a.resolve("both") == ["192.0.2.7", "2001:db8::1", "2001:db8::2"]
    assert await network.host("six", "2001:db8::6").resolve("both") == ["2001:db8::1", "2001:db8::2", "192.0.2.7"]


@virtual_time
async def test_an_address_that_was_added_can_be_used() -> None:
    network, a, z = two_hosts()
    z.add_address("192.0.2.22")
    assert network.lookup("z") == ["192.0.2.2", "192.0.2.22"]
    sender, receiver = Recorder(a), Recorder(z, 9899, "192.0.2.22")
    sender.send(b"x", "192.0.2.22")
    await settle()
    assert receiver.data == [b"x"]


@virtual_time
async def test_an_address_that_was_removed_is_lost_both_ways_and_its_ports_close() -> None:
    network, a, z = two_hosts()
    sender, receiver = Recorder(a), Recorder(z)
    sender.send(b"under way", "192.0.2.2")
    z.remove_address("192.0.2.2")
    sender.send(b"later", "192.0.2.2")
    receiver.send(b"back", "192.0.2.1")
    await settle()
    assert z.addresses == ()
    assert receiver.ports[0].is_closed
    assert (receiver.data, sender.data, sender.icmp) == ([], [], [])
    assert network.counters == {"sent": 2, "no host": 2}


@virtual_time
async def test_an_address_can_move_to_another_host() -> None:
    _, a, z = two_hosts()
    sender = Recorder(z)
    first = Recorder(a, 9899, "192.0.2.11")
    sender.send(b"1", "192.0.2.11")
    await settle()
    a.remove_address("192.0.2.11")
    z.add_address("192.0.2.11")
    second = Recorder(z, 9899, "192.0.2.11")
    sender.send(b"2", "192.0.2.11")
    await settle()
    assert (first.data, second.data) == ([b"1"], [b"2"])


def test_bad_address_changes_are_refused() -> None:
    _, a, _ = two_hosts()
    with pytest.raises(ValueError, match=re.escape("address: 192.0.2.2 is taken by <Host z")):
        a.add_address("192.0.2.2")
    with pytest.raises(ValueError, match=re.escape("address: 192.0.2.1 is taken by <Host a")):
        a.add_address("192.0.2.1")
    with pytest.raises(ValueError, match=re.escape("address 192.0.2.2 is not one of a's")):
        a.remove_address("192.0.2.2")
    with pytest.raises(ValueError, match="address"):
        a.add_address("nonsense")
    assert a.addresses == ("192.0.2.1", "192.0.2.11")


# -- ports --


@virtual_time
async def test_ports_are_opened_on_every_address_or_on_those_named() -> None:
    _, a, _ = two_hosts()
    assert [port.local_host for port in Recorder(a, 1).ports] == ["192.0.2.1", "192.0.2.11"]
    assert [port.local_host for port in Recorder(a, 2, "192.0.2.11").ports] == ["192.0.2.11"]
    assert {(port.local_host, port.udp_port) for port in a.ports} == {
        ("192.0.2.1", 1),
        ("192.0.2.11", 1),
        ("192.0.2.11", 2),
    }


@virtual_time
async def test_port_0_is_an_ephemeral_one_that_is_free_on_all_addresses() -> None:
    network, a, z = two_hosts()
    numbers = []
    for _ in range(20):
        ports = Recorder(a, 0).ports
        assert len({port.udp_port for port in ports}) == 1
        numbers.append(ports[0].udp_port)
    assert len(set(numbers)) == 20
    assert all(number in EPHEMERAL_PORTS for number in numbers)
    assert Recorder(z, 0).ports[0].udp_port in EPHEMERAL_PORTS
    assert len(network.ports) == 41


@virtual_time
async def test_ports_that_cannot_be_bound_are_refused_and_nothing_is_left() -> None:
    network, a, _ = two_hosts()
    Recorder(a, 9899, "192.0.2.11")
    with pytest.raises(OSError, match="UDP port 9899 of the host a is in use") as taken:
        Recorder(a)
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match=re.escape("192.0.2.2 is not an address of the host a")) as foreign:
        Recorder(a, 1, "192.0.2.1", "192.0.2.2")
    assert foreign.value.errno == errno.EADDRNOTAVAIL
    with pytest.raises(ValueError, match="udp_port"):
        Recorder(a, 65536)
    assert len(network.ports) == 1
    a.remove_address("192.0.2.1")
    a.remove_address("192.0.2.11")
    with pytest.raises(OSError, match="has no address"):
        Recorder(a)


@virtual_time
async def test_ephemeral_ports_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EPHEMERAL_PORTS", range(40000, 40003))
    _, a, _ = two_hosts()
    taken = Recorder(a, 40001, "192.0.2.11")
    assert {Recorder(a, 0).ports[0].udp_port for _ in range(2)} == {40000, 40002}
    with pytest.raises(OSError, match="every ephemeral UDP port of the host a is in use"):
        Recorder(a, 0)
    taken.ports[0].close()
    assert Recorder(a, 0).ports[0].udp_port == 40001


@virtual_time
async def test_a_closed_port_sends_and_takes_nothing_and_can_be_opened_again() -> None:
    network, a, z = two_hosts(answers_closed_ports=False)
    sender, receiver = Recorder(a), Recorder(z)
    (port,) = receiver.ports
    waiting = asyncio.ensure_future(port.wait_closed())
    await asyncio.sleep(0)
    assert not waiting.done()
    sender.send(b"under way", "192.0.2.2")
    port.close()
    port.close()
    await waiting
    receiver.send(b"never", "192.0.2.1")
    await settle()
    again = Recorder(z)
    sender.send(b"later", "192.0.2.2")
    await settle()
    assert (receiver.data, again.data, sender.data) == ([], [b"later"], [])
    assert network.counters == {"sent": 2, "port closed": 1, "delivered": 1}
    assert repr(port) == "<Port 9899 of 192.0.2.2, closed>"


@virtual_time
async def test_what_no_operating_system_would_send_is_refused_at_once() -> None:
    network = Network()
    recorder = Recorder(network.host("a", "192.0.2.1"))
    network.host("z", "2001:db8::2")
    other_family = Datagram(b"x", None, "2001:db8::2", 9899)
    too_large = Datagram(b"x" * 65508, None, "192.0.2.1", 9899)
    for datagram in (other_family, too_large):
        recorder.ports[0].send(datagram)
    assert recorder.refused == [(other_family, False), (too_large, True)]
    assert not network.counters
    recorder.send(b"x" * 65507, "192.0.2.1")
    await settle()
    assert len(recorder.data[0]) == 65507


# -- entropy --


def test_entropy_comes_from_the_seed_and_the_name() -> None:
    def entropy(seed: int, name: str) -> bytes:
        return Network(seed=seed).host(name).entropy(16)

    assert len(entropy(1, "a")) == 16
    assert entropy(1, "a") == entropy(1, "a")
    assert len({entropy(1, "a"), entropy(1, "b"), entropy(2, "a")}) == 3


def test_entropy_goes_on() -> None:
    _, a, _ = two_hosts()
    assert a.entropy(8) != a.entropy(8)


# -- the context --


def test_a_host_is_a_context_and_contexts_nest() -> None:
    _, a, z = two_hosts()
    with a as entered:
        assert entered is a
        assert current_network.get() is a
        with z, a:
            assert current_network.get() is a
        assert current_network.get() is a
    assert isinstance(current_network.get(), SystemNetwork)


def test_a_context_ends_with_an_error_too() -> None:
    _, a, _ = two_hosts()
    with pytest.raises(KeyError), a:
        raise KeyError
    assert isinstance(current_network.get(), SystemNetwork)


@virtual_time
async def test_tasks_of_several_hosts_enter_and_leave_in_any_order() -> None:
    _, a, z = two_hosts()

    async def program(host: Host, seconds: float) -> None:
        with host:
            await asyncio.sleep(seconds)
            assert current_network.get() is host
        assert current_network.get() is not host

    await asyncio.gather(program(a, 3.0), program(z, 2.0), program(a, 1.0))


@virtual_time
async def test_tasks_made_inside_stay_on_the_host() -> None:
    _, a, _ = two_hosts()

    async def program() -> object:
        await asyncio.sleep(1.0)
        return current_network.get()

    with a:
        task = asyncio.ensure_future(program())
    assert await task is a


@virtual_time
async def test_a_stack_takes_everything_from_its_host() -> None:
    network, a, _ = two_hosts()
    async with aiosctp.Stack(network=a) as stack:
        assert stack.local_addresses == ("192.0.2.1", "192.0.2.11")
        assert stack.now() == a.now() == network.now() == asyncio.get_running_loop().time()
    assert not network.ports


# -- crashes --


async def keep(association: aiosctp.Association) -> None:
    await association.wait_closed()


@virtual_time
async def test_nothing_leaves_a_host_that_crashed() -> None:
    network, a, z = two_hosts()
    sent: list[str] = []
    with z:
        server = await aiosctp.serve(keep, None, PORT)
    with a:
        association = await aiosctp.connect("z", PORT)
    await association.send(b"x")
    network.observers.append(lambda packet: sent.append(packet.source))
    a.crash()
    await asyncio.sleep(30.0)
    assert "192.0.2.2" in sent
    assert not {"192.0.2.1", "192.0.2.11"} & set(sent)
    with pytest.raises(aiosctp.AssociationAborted):
        await association.receive()
    server.close()
    server.abort_clients()
    await server.wait_closed()


@virtual_time
async def test_a_host_that_crashed_can_run_again_and_again() -> None:
    """Also on default stacks, whose predecessors are then garbage."""
    _, a, z = two_hosts()
    for _ in range(3):
        with z:
            servers = [await aiosctp.serve(keep, None, PORT + number) for number in range(2)]
        with a:
            associations = [await aiosctp.connect("z", PORT + number) for number in range(2)]
        assert (len(a.ports), len(z.ports)) == (2, 1)
        for host in (a, z):
            host.crash()
            assert not host.ports
        del servers, associations
        gc.collect()
        await asyncio.sleep(1.0)


@virtual_time
async def test_any_receiver_with_a_close_is_closed_once_by_a_crash() -> None:
    _, a, _ = two_hosts()

    class Program(Recorder):
        closes = 0

        def close(self) -> None:
            self.closes += 1
            self.send(b"my last words", "192.0.2.2")

    program, other = Program(a, 1), Recorder(a, 2)
    a.crash()
    assert program.closes == 1
    assert all(port.is_closed for port in program.ports + other.ports)
    assert a.addresses == ("192.0.2.1", "192.0.2.11")


# -- what its interfaces take --


@virtual_time
async def test_a_packet_larger_than_the_interface_takes_is_refused_unless_it_may_be_fragmented() -> None:
    _, a, z = two_hosts()
    ours, theirs = Recorder(a), Recorder(z)
    a.mtu = 1000
    ours.send(bytes(972), "192.0.2.2")
    ours.send(bytes(973), "192.0.2.2")
    ours.send(bytes(974), "192.0.2.2", dont_fragment=False)
    await settle()
    assert [(len(datagram.data), too_big) for datagram, too_big in ours.refused] == [(973, True)]
    assert [len(data) for data in theirs.data] == [972, 974]


@virtual_time
async def test_over_ipv6_what_the_interface_takes_is_fragmented_by_nobody() -> None:
    network = Network(link=Link(mtu=1400, icmp=False))
    a, z = network.host("a", "2001:db8::1"), network.host("z", "2001:db8::2")
    ours, theirs = Recorder(a), Recorder(z)
    a.mtu = 1500
    for size in (1352, 1452, 1453):
        ours.send(bytes(size), "2001:db8::2", dont_fragment=False)
    await settle()
    assert [len(data) for data in theirs.data] == [1352, 1453]
    assert network.counters["too big"] == 1


def test_a_route_takes_what_the_interface_does_or_else_the_link() -> None:
    network, a, z = two_hosts(link=Link(mtu=9000))
    v6 = network.host("v6", "2001:db8::1", "192.0.2.3")
    assert a.route_mtu("192.0.2.1", "192.0.2.2") == a.route_mtu(None, "192.0.2.2") == 9000
    network.set_link(a, z, Link(mtu=1400))
    assert (a.route_mtu(None, "192.0.2.2"), z.route_mtu(None, "192.0.2.11")) == (1400, 1400)
    assert v6.route_mtu(None, "192.0.2.2") == 9000
    # Nobody is there, or nobody that this host could speak to.
    assert a.route_mtu(None, "192.0.2.99") is None
    assert a.route_mtu(None, "2001:db8::1") is None
    a.mtu = 65535
    assert a.route_mtu(None, "192.0.2.2") == 65535
