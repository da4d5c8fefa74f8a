"""The simulated network: what it delivers, to whom, and when; partitions, ICMP, counters."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import aiosctp
from aiosctp.core.datagram import Received
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.network import current_network
from aiosctp.testing import CE, ECT_0, BurstLoss, Host, Link, LossWhere, Network, Packet, RandomLoss
from aiosctp.testing import network as module
from aiosctp.testing.loop import VirtualTimeLoop
from tests.surface.virtual_time import virtual_time
from tests.testing.recorder import Recorder, settle

PORT = 7777


def two_hosts(**options: Any) -> tuple[Network, Recorder, Recorder]:
    network = Network(seed=1, **options)
    return network, Recorder(network.host("a", "192.0.2.1")), Recorder(network.host("z", "192.0.2.2"))


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data)


@virtual_time
async def test_connect_and_serve_run_unchanged_on_simulated_hosts_under_loss() -> None:
    network = Network(seed=3, link=Link(delay_s=0.02, loss=RandomLoss(0.1)))
    with network.host("z", "192.0.2.2"):
        server = await aiosctp.serve(echo, None, PORT)
    with network.host("a", "192.0.2.1"):
        association = await aiosctp.connect("z", PORT)
    for number in range(50):
        await association.send(number.to_bytes(2))
    received = [(await association.receive()).data for _ in range(50)]
    assert received == [number.to_bytes(2) for number in range(50)]
    await association.shutdown()
    await association.wait_closed()
    server.close()
    await server.wait_closed()
    counters = network.counters
    assert counters["lost"] > 0
    assert counters["sent"] == counters["delivered"] + counters["lost"]


@virtual_time
async def test_handlers_run_on_the_host_that_serves() -> None:
    """What a handler connects to, it connects to from there, whoever sent the packet that made it run."""
    network = Network()
    met: list[object] = []

    async def note_the_host(association: aiosctp.Association) -> None:
        met.append(current_network.get())
        await association.wait_closed()

    with network.host("z"):
        server = await aiosctp.serve(note_the_host, None, PORT)
    with network.host("a"):
        async with aiosctp.connect("z", PORT):
            pass
    server.close()
    await server.wait_closed()
    assert met == [network.host("z")]


# -- delivery --


@virtual_time
async def test_a_packet_arrives_at_its_port_after_the_delay() -> None:
    network, a, z = two_hosts(link=Link(delay_s=0.25))
    began = network.now()
    a.send(b"x", "192.0.2.2")
    await settle()
    ((when, local_host, batch),) = z.batches
    assert when == pytest.approx(began + 0.25)
    assert (local_host, batch) == ("192.0.2.2", [Received(b"x", "192.0.2.1", 9899)])


@virtual_time
async def test_what_is_due_at_one_instant_for_one_port_comes_as_one_batch() -> None:
    network, a, z = two_hosts()
    b = Recorder(network.host("b", "192.0.2.3"))
    other = Recorder(z.host, 1)
    for number in range(3):
        a.send(b"a%d" % number, "192.0.2.2")
        b.send(b"b%d" % number, "192.0.2.2")
        a.send(b"c%d" % number, "192.0.2.2", 1)
    await asyncio.sleep(0.005)
    a.send(b"later", "192.0.2.2")
    await settle()
    assert [[data for data, *_ in batch] for _, _, batch in z.batches] == [
        [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"],
        [b"later"],
    ]
    assert [[data for data, *_ in batch] for _, _, batch in other.batches] == [[b"c0", b"c1", b"c2"]]


@virtual_time
async def test_packets_arrive_in_the_order_of_their_times() -> None:
    network, a, z = two_hosts()
    for number, delay_s in enumerate((0.3, 0.1, 0.2)):
        network.set_link(a.host, z.host, Link(delay_s=delay_s))
        a.send(b"%d" % number, "192.0.2.2")
    await settle()
    assert z.data == [b"1", b"2", b"0"]


@virtual_time
async def test_what_is_sent_on_arrival_over_no_delay_arrives_in_the_next_turn() -> None:
    network, a, z = two_hosts(link=Link(delay_s=0.0))
    z.on_data = lambda: z.send(b"pong", "192.0.2.1") if len(z.data) < 3 else None
    a.on_data = lambda: a.send(b"ping", "192.0.2.2")
    began = network.now()
    a.send(b"ping", "192.0.2.2")
    await settle(1.0)
    assert (len(z.data), len(a.data)) == (3, 2)
    assert {when for when, _, _ in z.batches + a.batches} == {began}


@virtual_time
async def test_a_host_reaches_itself_at_once_whatever_the_link() -> None:
    network = Network(link=Link(delay_s=1.0, loss=RandomLoss(1.0), mtu=576))
    recorder = Recorder(network.host("a", "192.0.2.1", "192.0.2.11", "2001:db8::1"))
    began = network.now()
    recorder.send(b"x" * 65507, "192.0.2.11")
    await settle()
    assert [(when, local_host) for when, local_host, _ in recorder.batches] == [(began, "192.0.2.11")]


@virtual_time
async def test_a_receiver_that_raises_is_reported_and_harms_no_other() -> None:
    network, a, z = two_hosts()
    reports: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context["exception"]))
    other = Recorder(z.host, 1)
    z.on_data = lambda: pytest.fail("a bug")
    a.send(b"1", "192.0.2.2")
    a.send(b"2", "192.0.2.2", 1)
    await settle()
    a.send(b"3", "192.0.2.2", 1)
    await settle()
    assert [str(report) for report in reports] == ["a bug"]
    assert other.data == [b"2", b"3"]
    assert network.counters["delivered"] == 3


def test_a_receiver_may_end_the_program() -> None:
    async def run() -> None:
        _, a, z = two_hosts()
        z.on_data = sys.exit
        a.send(b"1", "192.0.2.2")
        await settle()

    with pytest.raises(SystemExit), asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())


@virtual_time
async def test_a_batch_before_may_close_the_port() -> None:
    network, a, z = two_hosts(answers_closed_ports=False)
    other = Recorder(z.host, 1)
    z.on_data = z.host.crash
    a.send(b"1", "192.0.2.2")
    a.send(b"2", "192.0.2.2", 1)
    await settle()
    assert other.data == []
    assert network.counters == {"sent": 2, "delivered": 1, "port closed": 1}


@virtual_time
async def test_there_is_a_bound_to_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PACKETS_UNDER_WAY", 5)
    network, a, z = two_hosts()
    for number in range(8):
        a.send(b"%d" % number, "192.0.2.2")
    a.send(b"x" * 1500, "192.0.2.2")
    await settle()
    assert z.data == [b"0", b"1", b"2", b"3", b"4"]
    assert network.counters == {"sent": 9, "delivered": 5, "queue full": 3, "too big": 1}
    assert a.icmp == []


@virtual_time
async def test_forged_packets_go_their_way_and_nobody_answers_them() -> None:
    network, _, z = two_hosts()
    network.partition("192.0.2.1", "192.0.2.2")
    network.send(Packet("198.51.100.9", 5, "192.0.2.2", 9899, b"forged"))
    network.send(Packet("198.51.100.9", 5, "192.0.2.2", 1, b"to a closed port"))
    network.send(Packet("198.51.100.9", 5, "192.0.2.2", 9899, b"x" * 1473))
    network.send(Packet("192.0.2.1", 5, "192.0.2.2", 9899, b"forged"))
    await settle()
    assert z.sources == [("198.51.100.9", 5)]
    assert network.counters == {"sent": 4, "delivered": 1, "port closed": 1, "too big": 1, "partitioned": 1}


# -- links --


@virtual_time
async def test_links_are_of_pairs_and_directions() -> None:
    network, a, z = two_hosts(link=Link(delay_s=0.25))
    b = Recorder(network.host("b", "192.0.2.3"))
    network.set_link(a.host, z.host, Link(delay_s=0.5))
    network.set_link("192.0.2.2", "192.0.2.3", Link(delay_s=0.75), one_way=True)
    began = network.now()
    for source, destination in ((a, z), (z, a), (z, b), (b, z), (a, b)):
        source.send(b"x", destination.host.addresses[0])
    await settle()
    assert sorted((source, round(when - began, 6)) for r in (a, z, b) for when, _, [(_, source, *_)] in r.batches) == [
        ("192.0.2.1", 0.25),
        ("192.0.2.1", 0.5),
        ("192.0.2.2", 0.5),
        ("192.0.2.2", 0.75),
        ("192.0.2.3", 0.25),
    ]


@virtual_time
async def test_the_last_word_about_two_addresses_counts() -> None:
    network, a, z = two_hosts()
    z.host.add_address("192.0.2.22")
    other = Recorder(z.host, 9899, "192.0.2.22")

    async def delays() -> tuple[float, float]:
        began = network.now()
        a.send(b"x", "192.0.2.2")
        a.send(b"x", "192.0.2.22")
        await settle()
        return round(z.batches[-1][0] - began, 6), round(other.batches[-1][0] - began, 6)

    assert await delays() == (0.01, 0.01)
    network.set_link("192.0.2.1", "192.0.2.22", Link(delay_s=2.0))
    assert await delays() == (0.01, 2.0)
    network.set_link(a.host, z.host, Link(delay_s=3.0))
    assert await delays() == (3.0, 3.0)
    network.set_link(a.host, "192.0.2.2", Link(delay_s=4.0))
    assert await delays() == (4.0, 3.0)
    network.set_link("192.0.2.22", "192.0.2.1", Link(delay_s=2.0))
    assert await delays() == (4.0, 2.0)


@virtual_time
async def test_a_link_of_a_host_is_that_of_addresses_it_gets_later() -> None:
    network, a, z = two_hosts()
    network.set_link(a.host, z.host, Link(delay_s=3.0))
    z.host.add_address("192.0.2.22")
    other = Recorder(z.host, 9899, "192.0.2.22")
    began = network.now()
    a.send(b"x", "192.0.2.22")
    await settle()
    assert other.batches[0][0] == pytest.approx(began + 3.0)


@virtual_time
async def test_what_is_under_way_arrives_over_the_link_it_was_sent_on() -> None:
    network, a, z = two_hosts()
    network.set_link(a.host, z.host, Link(delay_s=2.0))
    began = network.now()
    a.send(b"old", "192.0.2.2")
    network.set_link(a.host, z.host, Link(delay_s=1.0))
    a.send(b"new", "192.0.2.2")
    await settle()
    assert [(round(when - began, 6), data) for when, data in z.arrivals] == [(1.0, b"new"), (2.0, b"old")]


@virtual_time
async def test_directions_and_addresses_have_queues_of_their_own() -> None:
    """1028 bytes at 8224 bits a second take a second."""
    network = Network(link=Link(delay_s=0.0, bandwidth_bps=8224))
    a, z = Recorder(network.host("a", "192.0.2.1")), Recorder(network.host("z", "192.0.2.2", "192.0.2.22"))
    began = network.now()
    for destination in ("192.0.2.2", "192.0.2.22", "192.0.2.2"):
        a.send(b"x" * 1000, destination)
    z.send(b"x" * 1000, "192.0.2.1")
    await settle()
    assert [(round(when - began, 6), local_host) for when, local_host, _ in z.batches] == [
        (1.0, "192.0.2.2"),
        (1.0, "192.0.2.22"),
        (2.0, "192.0.2.2"),
    ]
    assert a.batches[0][0] == pytest.approx(began + 1.0)


@virtual_time
async def test_faults_are_delivered_as_they_are_and_counted() -> None:
    network, a, z = two_hosts(link=Link(corruption=1.0, duplication=1.0, reordering=1.0))
    a.send(b"hello", "192.0.2.2")
    await settle()
    assert len(z.data) == 2
    assert z.data[0] == z.data[1] != b"hello"
    assert network.counters == {"sent": 1, "delivered": 2, "corrupted": 1, "duplicated": 1, "reordered": 2}
    first, second = network.passages
    assert (first.faults, second.faults) == (("corrupted", "reordered"), ("duplicated", "reordered"))
    assert (first.fate, first.packet.data, first.arriving.data) == ("delivered", b"hello", z.data[0])


@virtual_time
async def test_bursts_of_loss_hit_consecutive_packets() -> None:
    network, a, z = two_hosts(link=Link(loss=BurstLoss(begins=0.02, ends=0.25)))
    for number in range(1000):
        a.send(number.to_bytes(2), "192.0.2.2")
    await settle()
    came = {int.from_bytes(data) for data in z.data}
    lost = [number for number in range(1000) if number not in came]
    assert 40 < len(lost) < 160
    assert 0.5 < sum(number - 1 in lost for number in lost) / len(lost) < 0.9
    assert network.counters["lost"] == len(lost)


@virtual_time
async def test_a_port_sends_with_the_ecn_codepoint_it_was_given() -> None:
    network, a, _ = two_hosts(link=Link(bandwidth_bps=8000, ecn_threshold_bytes=0))
    a.ports[0].ecn = ECT_0
    for _ in range(3):
        a.send(b"x", "192.0.2.2")
    await settle()
    assert [passage.arriving.ecn for passage in network.passages] == [ECT_0, ECT_0, CE]
    assert network.counters["marked"] == 1


# -- partitions --


async def who_gets_through(*recorders: Recorder) -> set[tuple[str, str]]:
    for recorder in recorders:
        recorder.batches.clear()
        for other in recorders:
            if other is not recorder:
                recorder.send(b"x", other.host.addresses[0])
    await settle()
    names = {recorder.host.addresses[0]: recorder.host.name for recorder in recorders}
    return {(names[source], recorder.host.name) for recorder in recorders for source, _ in recorder.sources}


@virtual_time
async def test_partitions_are_between_two_one_way_or_around_one_and_heal() -> None:
    network, a, z = two_hosts()
    b = Recorder(network.host("b", "192.0.2.3"))
    every = {(one, other) for one in "abz" for other in "abz" if one != other}

    async def cut() -> set[tuple[str, str]]:
        return every - await who_gets_through(a, b, z)

    assert await cut() == set()
    network.partition(a.host, z.host)
    assert await cut() == {("a", "z"), ("z", "a")}
    network.heal("192.0.2.1", "192.0.2.2", one_way=True)
    assert await cut() == {("z", "a")}
    network.heal(z.host, a.host)
    assert await cut() == set()
    network.partition("192.0.2.3", one_way=True)
    assert await cut() == {("b", "a"), ("b", "z")}
    network.partition(b.host)
    network.heal(b.host, a.host)
    assert await cut() == {("b", "z"), ("z", "b")}
    network.heal(b.host)
    assert await cut() == set()
    network.partition(a.host, z.host)
    network.partition(b.host)
    network.heal()
    assert await cut() == set()


@virtual_time
async def test_what_is_under_way_into_a_partition_arrives() -> None:
    network, a, z = two_hosts()
    a.send(b"before", "192.0.2.2")
    network.partition(a.host, z.host)
    a.send(b"after", "192.0.2.2")
    await settle()
    assert z.data == [b"before"]
    assert network.counters == {"sent": 2, "delivered": 1, "partitioned": 1}


@virtual_time
async def test_a_partition_of_a_host_is_that_of_addresses_it_gets_later() -> None:
    network, a, z = two_hosts()
    network.partition(a.host, z.host)
    z.host.add_address("192.0.2.22")
    Recorder(z.host, 9899, "192.0.2.22")
    a.send(b"x", "192.0.2.22")
    assert network.counters["partitioned"] == 1


# -- ICMP --


@virtual_time
async def test_who_sends_too_much_is_told_the_mtu() -> None:
    network, a, z = two_hosts(link=Link(delay_s=0.25, mtu=576))
    data = bytes(range(256)) * 3
    began = network.now()
    a.send(data, "192.0.2.2")
    await settle()
    ((when, message),) = a.icmp
    assert when == pytest.approx(began + 0.25)
    assert message == IcmpMessage(IcmpKind.PACKET_TOO_BIG, data[:520], "192.0.2.2", 576)
    assert (z.data, network.counters) == ([], {"sent": 1, "too big": 1, "icmp": 1})


@virtual_time
async def test_a_black_hole_tells_nobody() -> None:
    network, a, z = two_hosts(link=Link(mtu=576, icmp=False))
    a.send(b"x" * 1000, "192.0.2.2")
    await settle()
    assert (a.icmp, z.data, network.counters) == ([], [], {"sent": 1, "too big": 1})


@virtual_time
async def test_fragments_are_put_together_again() -> None:
    network, a, z = two_hosts(link=Link(mtu=576))
    a.send(b"x" * 1000, "192.0.2.2", dont_fragment=False)
    await settle()
    assert z.data == [b"x" * 1000]
    assert network.counters == {"sent": 1, "delivered": 1, "fragmented": 1}


@virtual_time
async def test_icmp_quotes_what_its_family_has_room_for() -> None:
    network = Network(link=Link(mtu=1280))
    a = Recorder(network.host("a", "2001:db8::1"))
    network.host("z", "2001:db8::2")
    a.send(b"x" * 1400, "2001:db8::2")
    await settle()
    assert [len(message.quoted) for _, message in a.icmp] == [1184]


@virtual_time
async def test_a_closed_port_is_told_and_a_switch_silences_the_host() -> None:
    network, a, z = two_hosts(link=Link(delay_s=0.25))
    began = network.now()
    a.send(b"anyone?", "192.0.2.2", 1)
    await settle()
    z.host.answers_closed_ports = False
    a.send(b"anyone?", "192.0.2.2", 1)
    await settle()
    ((when, message),) = a.icmp
    assert when == pytest.approx(began + 0.5)
    assert message == IcmpMessage(IcmpKind.PORT_UNREACHABLE, b"anyone?", "192.0.2.2")
    assert network.counters == {"sent": 2, "port closed": 2, "icmp": 1}


@virtual_time
async def test_icmp_needs_a_way_back_and_somebody_who_is_there() -> None:
    network, a, z = two_hosts()
    network.partition(z.host, a.host, one_way=True)
    a.send(b"anyone?", "192.0.2.2", 1)
    a.send(b"x" * 1473, "192.0.2.2")
    await settle()
    network.heal()
    a.send(b"anyone?", "192.0.2.2", 1)
    a.send(b"x" * 1473, "192.0.2.2")
    a.ports[0].close()
    await settle()
    assert a.icmp == []
    assert network.counters == {"sent": 4, "port closed": 2, "too big": 2}


@virtual_time
async def test_a_host_that_does_not_exist_says_nothing() -> None:
    network, a, _ = two_hosts()
    a.send(b"anyone?", "198.51.100.1")
    await settle()
    assert (a.icmp, network.counters) == ([], {"sent": 1, "no host": 1})


@virtual_time
async def test_connect_to_a_closed_port_is_refused() -> None:
    network, a, _ = two_hosts()
    with a.host, pytest.raises(ConnectionRefusedError):
        await aiosctp.connect("192.0.2.2", PORT, remote_udp_port=1)
    assert network.counters["icmp"] == 1


@virtual_time
async def test_a_path_learns_its_mtu_from_the_network() -> None:
    network = Network(link=Link(mtu=1000))
    a, z = network.host("a", "192.0.2.1"), network.host("z", "192.0.2.2")
    # Their own interfaces take more than the link between them, so neither knows before it is told.
    a.mtu = z.mtu = 1500
    with z:
        server = await aiosctp.serve(echo, None, PORT)
    with a:
        association = await aiosctp.connect("z", PORT)
    await association.send(b"x" * 5000)
    assert len((await association.receive()).data) == 5000
    assert network.counters["too big"] > 0
    assert {path.mtu for path in association.paths} == {1000}
    await association.shutdown()
    server.close()
    await server.wait_closed()


# -- what is seen --


@virtual_time
async def test_observers_see_every_packet_before_anything_befalls_it() -> None:
    network, a, _ = two_hosts(link=Link(loss=RandomLoss(1.0)))
    seen: list[Packet] = []
    network.observers.append(seen.append)
    a.send(b"x", "192.0.2.2", dont_fragment=False)
    a.send(b"y", "198.51.100.1")
    assert seen == [
        Packet("192.0.2.1", 9899, "192.0.2.2", 9899, b"x", dont_fragment=False),
        Packet("192.0.2.1", 9899, "198.51.100.1", 9899, b"y"),
    ]


@virtual_time
async def test_passages_tell_times_and_fates() -> None:
    network, a, _ = two_hosts(link=Link(delay_s=0.25, loss=LossWhere(lambda packet: packet.data == b"2")))
    began = network.now()
    for data in (b"1", b"2"):
        a.send(data, "192.0.2.2")
    a.send(b"3", "192.0.2.2", 1)
    assert [passage.fate for passage in network.passages] == ["under way", "lost", "under way"]
    await settle()
    assert [passage.fate for passage in network.passages] == ["delivered", "lost", "port closed"]
    assert [passage.sent_at_s for passage in network.passages] == [began] * 3
    assert [passage.arrives_at_s for passage in network.passages] == [began + 0.25, None, began + 0.25]


@virtual_time
async def test_the_newest_passages_are_kept_or_none() -> None:
    for kept in (3, 0):
        network, a, z = two_hosts(trace_packets=kept)
        for number in range(5):
            a.send(b"%d" % number, "192.0.2.2")
        await settle()
        assert [passage.packet.data for passage in network.passages] == [b"2", b"3", b"4"][:kept]
        assert len(z.data) == 5


@virtual_time
async def test_every_copy_meets_one_fate() -> None:
    """sent + duplicated = the sum of all fates."""
    link = Link(
        jitter_s=0.1,
        bandwidth_bps=1e6,
        queue_bytes=20_000,
        loss=RandomLoss(0.1),
        duplication=0.1,
        reordering=0.1,
        corruption=0.1,
        mtu=1000,
    )
    network, a, z = two_hosts(link=link)
    for number in range(2000):
        if number % 100 == 0:
            (network.partition if number % 200 else network.heal)(a.host)
        a.send(b"x" * (number % 1200), ("192.0.2.2", "192.0.2.9")[number % 10 == 0], 9899 - (number % 5 == 0))
        await asyncio.sleep(0.001 * (number % 7))
    await settle()
    fates = ("delivered", "lost", "queue full", "too big", "partitioned", "no host", "port closed")
    assert all(network.counters[fate] for fate in (*fates, "duplicated", "reordered", "corrupted"))
    assert sum(network.counters[fate] for fate in fates) == network.counters["sent"] + network.counters["duplicated"]
    assert len(z.data) == network.counters["delivered"]


# -- loops --


async def exchange(network: Network, data: bytes, seconds: float) -> tuple[list[bytes], int]:
    """What came in so many seconds, and from which port of the NAT."""
    a, z = Recorder(network.host("a")), Recorder(network.host("z"))
    a.send(data, z.host.addresses[0])
    await settle(seconds)
    a.send(b"never arrives", z.host.addresses[0])
    for port in a.ports + z.ports:
        port.close()
    return z.data, z.sources[0][1]


def test_a_network_runs_on_one_loop_after_another_and_on_no_two_at_once() -> None:
    network = Network(link=Link(bandwidth_bps=8000))
    network.host("a")
    network.nat("203.0.113.1", inside=[network.host("a")])
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as first, asyncio.Runner(loop_factory=VirtualTimeLoop) as second:
        came, port = first.run(exchange(network, b"1", 10.0))
        assert came == [b"1"]
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            second.run(exchange(network, b"2", 10.0))
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as third:
        came, other_port = third.run(exchange(network, b"3", 100.0))
    assert came == [b"3"]
    assert port != other_port


def test_a_network_runs_on_a_real_loop_too() -> None:
    async def run() -> list[tuple[float, bytes]]:
        _, a, z = two_hosts(link=Link(delay_s=0.01))
        began = asyncio.get_running_loop().time()
        arrived = asyncio.Event()
        z.on_data = arrived.set
        a.send(b"x", "192.0.2.2")
        await arrived.wait()
        return [(when - began, data) for when, data in z.arrivals]

    ((took_s, data),) = asyncio.run(run())
    assert took_s >= 0.009
    assert data == b"x"


# -- arguments --


def other_host() -> Host:
    return Network().host("other")


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"seed": "1"}, TypeError, "seed"),
        ({"seed": 1.5}, TypeError, "seed"),
        ({"link": 0.1}, TypeError, "link"),
        ({"trace_packets": -1}, ValueError, "trace_packets"),
        ({"trace_packets": None}, TypeError, "trace_packets"),
    ],
)
def test_bad_networks_are_refused(options: dict[str, Any], error: type[Exception], name: str) -> None:
    with pytest.raises(error, match=name):
        Network(**options)


@virtual_time
async def test_places_can_be_named_as_hosts_are_where_they_are_connected_to() -> None:
    network, a, z = two_hosts()
    network.set_link("a", "z", Link(delay_s=0.5))
    network.partition("z", "a", one_way=True)
    a.send(b"slow", "192.0.2.2")
    z.send(b"lost", "192.0.2.1")
    await asyncio.sleep(1)
    assert (z.arrivals, a.arrivals) == ([(0.5, b"slow")], [])
    network.heal("z", "a")
    z.send(b"slow too", "192.0.2.1")
    await asyncio.sleep(1)
    assert a.arrivals == [(1.5, b"slow too")]


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        (("nonsense", "192.0.2.2"), ValueError, "a must be a Host, its name or an address"),
        (("192.0.2.1", "z"), ValueError, "z must be a Host, its name or an address, and there is no 'z'"),
        ((1, "192.0.2.2"), TypeError, "a must be a Host, its name or an address"),
        (("192.0.2.1", b"z"), TypeError, "z must be a Host, its name or an address"),
        ((other_host(), "192.0.2.2"), ValueError, "a must be a host of this network"),
        (("192.0.2.1", other_host()), ValueError, "z must be a host of this network"),
    ],
)
def test_bad_places_are_refused(arguments: tuple[Any, Any], error: type[Exception], name: str) -> None:
    network = Network()
    for change in (network.partition, network.heal, lambda a, z: network.set_link(a, z, Link())):
        with pytest.raises(error, match=name):
            change(*arguments)


def test_a_link_is_a_link_and_healing_names_the_first_place() -> None:
    network = Network()
    bad_link: Any = 0.1
    with pytest.raises(TypeError, match="link must be a Link"):
        network.set_link("192.0.2.1", "192.0.2.2", bad_link)
    with pytest.raises(ValueError, match="a must be given"):
        network.heal(z="192.0.2.2")
