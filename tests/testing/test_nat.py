"""NATs: what they rewrite, whom they let in, what they forget."""

from __future__ import annotations

from typing import Any

import pytest

import aiosctp
from aiosctp.core.icmp import IcmpKind
from aiosctp.testing import Host, Link, LossWhere, Nat, Network
from aiosctp.testing.nat import FIRST_PORT, LAST_PORT, MAX_MAPPINGS
from aiosctp.testing.packet import Packet
from tests.surface.virtual_time import virtual_time
from tests.testing.recorder import Recorder, settle

PUBLIC = "203.0.113.1"


def behind_a_nat(**options: Any) -> tuple[Network, Host, Host, Nat]:
    network = Network(seed=1)
    a, z = network.host("a", "10.0.0.1"), network.host("z", "192.0.2.2")
    return network, a, z, network.nat(PUBLIC, inside=[a], **options)


@virtual_time
async def test_what_leaves_has_the_public_address_and_another_port() -> None:
    _, a, z, nat = behind_a_nat()
    inside, outside = Recorder(a), Recorder(z)
    inside.send(b"1", "192.0.2.2")
    await settle()
    ((host, port),) = outside.sources
    assert host == PUBLIC
    assert port != 9899
    assert nat.mappings == {port: ("10.0.0.1", 9899)}
    assert repr(nat) == f"<Nat {PUBLIC}, 1 mappings>"


@virtual_time
async def test_answers_find_their_way_inside() -> None:
    _, a, z, _ = behind_a_nat()
    inside, outside = Recorder(a), Recorder(z)
    inside.send(b"question", "192.0.2.2")
    await settle()
    outside.send(b"answer", *outside.sources[0])
    await settle()
    assert inside.data == [b"answer"]
    assert inside.sources == [("192.0.2.2", 9899)]
    assert inside.batches[0][1] == "10.0.0.1"


@virtual_time
async def test_one_port_inside_is_one_port_outside_to_every_peer() -> None:
    network, a, z, _ = behind_a_nat()
    inside, outside, other = Recorder(a), Recorder(z), Recorder(network.host("y", "192.0.2.3"))
    inside.send(b"1", "192.0.2.2")
    inside.send(b"2", "192.0.2.3")
    Recorder(a, 9900).send(b"3", "192.0.2.3")
    await settle()
    assert outside.sources[0] == other.sources[0] != other.sources[1]


@virtual_time
async def test_nobody_gets_in_without_a_mapping_or_by_the_address_inside() -> None:
    network, a, z, _ = behind_a_nat()
    inside, outside = Recorder(a), Recorder(z)
    outside.send(b"1", PUBLIC)
    outside.send(b"2", "10.0.0.1")
    await settle()
    assert (inside.data, outside.icmp) == ([], [])
    assert network.counters == {"sent": 2, "no mapping": 1, "no host": 1}


@virtual_time
async def test_who_forgot_gives_another_port_and_lets_nobody_in_by_the_old_one() -> None:
    network, a, z, nat = behind_a_nat()
    inside, outside = Recorder(a), Recorder(z)
    inside.send(b"1", "192.0.2.2")
    await settle()
    nat.forget()
    outside.send(b"to the old port", *outside.sources[0])
    await settle()
    inside.send(b"2", "192.0.2.2")
    await settle()
    assert inside.data == []
    assert network.counters["no mapping"] == 1
    before, after = outside.sources
    assert before != after
    outside.send(b"to the new port", *after)
    await settle()
    assert inside.data == [b"to the new port"]


@virtual_time
async def test_what_is_under_way_when_a_nat_forgets_is_dropped() -> None:
    network, a, z, nat = behind_a_nat()
    inside, outside = Recorder(a), Recorder(z)
    inside.send(b"1", "192.0.2.2")
    await settle()
    outside.send(b"2", *outside.sources[0])
    nat.forget()
    await settle()
    assert inside.data == []
    assert network.counters["no mapping"] == 1


@virtual_time
async def test_a_mapping_that_nobody_inside_uses_is_forgotten() -> None:
    """RFC 4787 REQ-6: what comes from outside keeps it no longer."""
    _, a, z, nat = behind_a_nat(forget_after_s=30.0)
    inside, outside = Recorder(a), Recorder(z)
    for wait_s in (29.0, 29.0, 31.0):
        inside.send(b"x", "192.0.2.2")
        await settle(wait_s)
        outside.send(b"x", *outside.sources[-1])
        await settle(0.5)
    inside.send(b"x", "192.0.2.2")
    await settle()
    assert len(inside.data) == 2
    first, second, third, last = outside.sources
    assert first == second == third != last
    assert list(nat.mappings) == [last[1]]


@virtual_time
async def test_hosts_inside_reach_each_other_directly_and_by_the_public_address() -> None:
    """RFC 4787 REQ-9: hairpinning."""
    network = Network()
    a, b = network.host("a", "10.0.0.1"), network.host("b", "10.0.0.2")
    nat = network.nat(PUBLIC, inside=[a, b])
    one, other = Recorder(a), Recorder(b)
    one.send(b"directly", "10.0.0.2")
    other.send(b"out", PUBLIC)
    await settle()
    (port,) = nat.mappings
    one.send(b"by the public address", PUBLIC, port)
    await settle()
    assert other.data == [b"directly", b"by the public address"]
    assert other.sources[0] == ("10.0.0.1", 9899)
    assert other.sources[1][0] == PUBLIC


@virtual_time
async def test_two_nats_stand_between_two_hosts() -> None:
    network, a, z, _ = behind_a_nat()
    other = network.nat("203.0.113.2", inside=[z])
    inside, outside = Recorder(a), Recorder(z)
    outside.send(b"opens", "203.0.113.9")
    inside.send(b"knocks", "203.0.113.2", next(iter(other.mappings)))
    await settle()
    assert outside.data == [b"knocks"]
    outside.send(b"answers", *outside.sources[0])
    await settle()
    assert inside.data == [b"answers"]
    assert inside.sources[0] == ("203.0.113.2", next(iter(other.mappings)))


@virtual_time
async def test_links_and_partitions_are_named_by_the_addresses_inside_both_ways() -> None:
    network, a, z, _ = behind_a_nat()
    network.set_link(a, z, Link(delay_s=1.0))
    inside, outside = Recorder(a), Recorder(z)
    began = network.now()
    inside.send(b"1", "192.0.2.2")
    await settle()
    outside.send(b"2", *outside.sources[0])
    await settle()
    assert outside.batches[0][0] == pytest.approx(began + 1.0)
    assert inside.batches[0][0] == pytest.approx(began + 101.0)
    network.partition(z, a, one_way=True)
    outside.send(b"3", *outside.sources[0])
    await settle()
    assert network.counters["partitioned"] == 1


@virtual_time
async def test_the_other_family_passes_as_it_is() -> None:
    network = Network()
    a, z = network.host("a", "10.0.0.1", "2001:db8::1"), network.host("z", "2001:db8::2")
    nat = network.nat(PUBLIC, inside=[a])
    inside, outside = Recorder(a, 9899, "2001:db8::1"), Recorder(z)
    inside.send(b"1", "2001:db8::2")
    outside.send(b"2", "2001:db8::1")
    await settle()
    assert outside.sources == [("2001:db8::1", 9899)]
    assert inside.data == [b"2"]
    assert not nat.mappings


@virtual_time
async def test_observers_and_predicates_see_the_address_inside() -> None:
    network, a, z, _ = behind_a_nat()
    seen: list[Packet] = []

    def is_lost(packet: Packet) -> bool:
        seen.append(packet)
        return False

    network.observers.append(seen.append)
    network.set_link(a, z, Link(loss=LossWhere(is_lost)))
    Recorder(a).send(b"1", "192.0.2.2")
    assert [packet.source for packet in seen] == ["10.0.0.1", "10.0.0.1"]


@virtual_time
async def test_icmp_finds_who_sent_from_inside() -> None:
    _, a, _, _ = behind_a_nat()
    inside = Recorder(a)
    inside.send(b"anyone?", "192.0.2.2", 1)
    inside.send(b"x" * 1473, "192.0.2.2", 1)
    await settle()
    assert [(message.kind, message.destination) for _, message in inside.icmp] == [
        (IcmpKind.PACKET_TOO_BIG, "192.0.2.2"),
        (IcmpKind.PORT_UNREACHABLE, "192.0.2.2"),
    ]


def test_ports_wrap_and_are_never_the_one_inside() -> None:
    nat = Nat(PUBLIC, LAST_PORT, None)
    ports = []
    for inside_port in (1, 2, FIRST_PORT + 1):
        packet = nat.outward(Packet("10.0.0.1", inside_port, "192.0.2.2", 1, b""), 0.0)
        ports.append(packet.source_port)
    assert ports == [LAST_PORT, FIRST_PORT, FIRST_PORT + 2]


def test_there_are_so_many_mappings_and_the_oldest_gives_way() -> None:
    nat = Nat(PUBLIC, FIRST_PORT, None)
    for number in range(MAX_MAPPINGS + 1):
        nat.outward(Packet("10.0.0.1", number, "192.0.2.2", 1, b""), 0.0)
    assert len(nat.mappings) == MAX_MAPPINGS
    assert ("10.0.0.1", 0) not in nat.mappings.values()
    assert ("10.0.0.1", MAX_MAPPINGS) in nat.mappings.values()


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"public_address": "192.0.2.2"}, ValueError, "public_address: 192.0.2.2 is taken"),
        ({"public_address": PUBLIC}, ValueError, f"public_address: {PUBLIC} is taken by <Nat"),
        ({"public_address": "nonsense"}, ValueError, "public_address"),
        ({"inside": ["z"]}, TypeError, "inside must be hosts, not str"),
        ({"inside": ["a host of another network"]}, ValueError, "inside must be a host of this network"),
        ({"inside": ["behind"]}, ValueError, "inside: <Host a, 10.0.0.1> is behind <Nat"),
        ({"forget_after_s": 0}, ValueError, "forget_after_s"),
        ({"forget_after_s": "30"}, TypeError, "forget_after_s"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], name: str) -> None:
    network, a, z, _ = behind_a_nat()
    others = {"behind": a, "a host of another network": Network().host("a")}
    chosen: dict[str, Any] = {"public_address": "203.0.113.9", "inside": [z], **arguments}
    chosen["inside"] = [others.get(one, one) for one in chosen["inside"]]
    with pytest.raises(error, match=name):
        network.nat(**chosen)
    assert network.nat("203.0.113.9", inside=[z]).public_address == "203.0.113.9"


def test_a_host_cannot_take_the_public_address() -> None:
    _, _, z, _ = behind_a_nat()
    with pytest.raises(ValueError, match="is taken by <Nat"):
        z.add_address(PUBLIC)


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data)


@virtual_time
async def test_an_association_survives_a_nat_that_forgets_its_port() -> None:
    """RFC 6951 §5.4: the peer learns the new port from what carries the right tag."""
    _, a, z, nat = behind_a_nat()
    with z:
        server = await aiosctp.serve(echo, None, 7777)
    with a:
        association = await aiosctp.connect("z", 7777)
    for _ in range(3):
        await association.send(b"hello")
        assert (await association.receive()).data == b"hello"
        nat.forget()
    await association.shutdown()
    await association.wait_closed()
    server.close()
    await server.wait_closed()
