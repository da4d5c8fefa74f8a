"""Messages for one address of the peer, whichever is primary (§6.4)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path
from tests.core.tx.bench import PAYLOAD, PMDCS, Bench, Packet, all_chunks, numbers, read
from tests.core.tx.records import part

pytestmark = pytest.mark.usefixtures("both_ways")


def enqueue(bench: Bench, size: int, path: Path | None, *, stream: int = 0) -> None:
    """A message, for the address of this path if one is given."""
    terms = None if path is None else Terms(address=path.address)
    bench.sender.queue.append(OutgoingMessage(bytes(size), stream, terms=terms))


def sent(packets: list[Packet]) -> list[tuple[Path, list[int]]]:
    return [(packet.path, packet.numbers) for packet in packets]


def test_a_message_goes_to_the_address_it_names() -> None:
    """D12: "unless the SCTP user explicitly specifies the destination transport address"; a packet carries only what
    goes its way, and the messages go in the order in which they were given."""
    bench = Bench(paths=3)
    primary, second, third = bench.paths
    for path in (None, second, second, None, primary, third):
        enqueue(bench, 10, path)
    packets = sent(bench.flush())
    assert packets == [(primary, [0]), (second, [1, 2]), (primary, [3, 4]), (third, [5])]
    assert [bench.deadline(path) is not None for path in bench.paths] == [True] * 3
    assert [path.flight_bytes for path in bench.paths] == [3 * 28, 2 * 28, 28]


def test_messages_with_a_policy_and_no_address_go_between_them() -> None:
    bench = Bench(paths=2)
    primary, second = bench.paths
    enqueue(bench, 10, second)
    bench.sender.queue.append(OutgoingMessage(bytes(10), 0, terms=Terms(max_retransmits=0)))
    enqueue(bench, 10, None)
    assert sent(bench.flush()) == [(second, [0]), (primary, [1, 2])]


def test_another_primary_changes_nothing() -> None:
    bench = Bench(paths=2)
    primary, second = bench.paths
    enqueue(bench, 10, primary)
    bench.table.primary = second
    enqueue(bench, 10, None)
    assert sent(bench.flush()) == [(primary, [0]), (second, [1])]


def test_all_fragments_go_there() -> None:
    bench = Bench(paths=2)
    second = bench.paths[1]
    enqueue(bench, 3 * PAYLOAD, second)
    enqueue(bench, 10, None)
    assert sent(bench.flush()) == [(second, [0]), (second, [1]), (second, [2]), (bench.path, [3])]


def test_while_the_address_is_not_active_they_go_as_any() -> None:
    """§6.4, §8.2: also what is left of a message that was begun; and an address that is gone."""
    bench = Bench(paths=2)
    primary, second = bench.paths
    enqueue(bench, 6 * PAYLOAD, second)
    assert {packet.path for packet in bench.flush()} == {second}
    second.is_inactive = True
    assert {packet.path for packet in bench.flush()} == {primary}
    second.is_inactive = False
    bench.sack(5, after=0.1)
    enqueue(bench, 10, second)
    assert sent(bench.flush()) == [(second, [6])]
    second.is_confirmed = False
    enqueue(bench, 10, second)
    assert sent(bench.flush()) == [(primary, [7])]
    bench.sender.queue.append(OutgoingMessage(b"x", 0, terms=Terms(address="203.0.113.9")))
    assert sent(bench.flush()) == [(primary, [8])]


def test_the_congestion_window_of_that_path_decides_and_nothing_overtakes() -> None:
    """§6.1 B."""
    bench = Bench(paths=2)
    primary, second = bench.paths
    second.congestion.cwnd = PMDCS
    enqueue(bench, PAYLOAD, second)
    enqueue(bench, 10, second)
    enqueue(bench, 10, None)
    assert sent(bench.flush()) == [(second, [0])]
    assert bench.sack(0, after=0.1) is None
    assert sent(bench.flush()) == [(second, [1]), (primary, [2])]


def test_the_primary_may_be_full() -> None:
    bench = Bench(paths=2)
    primary, second = bench.paths
    bench.cwnd = PMDCS
    enqueue(bench, PAYLOAD, None)
    enqueue(bench, 10, second)
    enqueue(bench, 10, None)
    enqueue(bench, 10, second)
    assert sent(bench.flush()) == [(primary, [0]), (second, [1])]
    assert bench.sack(1, after=0.1) is None
    assert sent(bench.flush()) == [(primary, [2]), (second, [3])]


def test_what_times_out_goes_elsewhere() -> None:
    """§6.4: retransmissions are those of any message."""
    bench = Bench(paths=2)
    primary, second = bench.paths
    enqueue(bench, 10, second)
    bench.flush()
    bench.expire(second)
    assert sent(bench.flush()) == [(primary, [0])]


def test_what_is_reported_missing_goes_the_same_way() -> None:
    bench = Bench(paths=2)
    second = bench.paths[1]
    for _ in range(4):
        enqueue(bench, 1000, second)
        bench.flush()
    for highest in (1, 2, 3):
        bench.sack(-1, (1, highest), after=0.01)
    assert sent(bench.flush()) == [(second, [0])]


def test_no_message_for_another_address_fills_a_packet_with_a_retransmission() -> None:
    bench = Bench(paths=2)
    primary, second = bench.paths
    enqueue(bench, 10, None)
    bench.flush()
    enqueue(bench, 10, primary)
    enqueue(bench, 10, second)
    enqueue(bench, 10, None)
    bench.expire(primary)
    # The other path takes what timed out, and not with it what comes next; the last waits for an answer (§7.2.3).
    assert sent(bench.flush()) == [(second, [0]), (primary, [1]), (second, [2])]


def test_after_idle_time_on_that_path_only_max_burst_counts() -> None:
    """§6.1 D: however much was acknowledged on another."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1), paths=2)
    second = bench.paths[1]
    enqueue(bench, 10, second)
    bench.flush()
    bench.sack(0, after=0.1)
    bench.now += 2.5
    bench.cwnd = second.congestion.cwnd = 100 * PMDCS
    bench.send(10)
    for _ in range(4):
        enqueue(bench, PAYLOAD, second)
    bench.sack(1, after=0.1)
    assert len(bench.flush()) == 1


@pytest.mark.parametrize("scheduler", ["fcfs", "rr", "rr_packet", "priority", "fair", "weighted"])
def test_whatever_the_scheduler_each_goes_its_way_in_the_order_of_its_stream(scheduler: str) -> None:
    bench = Bench(config=Config(rto_min_s=0.05, scheduler=scheduler, max_burst=100), paths=2)
    for n in range(12):
        enqueue(bench, 10 + n, bench.paths[n % 2] if n % 3 else None, stream=n % 4)
    packets = bench.flush()
    by_stream: dict[int, list[int]] = {}
    for packet in packets:
        for chunk in packet.chunks:
            n = len(chunk.payload) - 10
            by_stream.setdefault(chunk.stream, []).append(n)
            assert packet.path is (bench.paths[n % 2] if n % 3 else bench.path)
    assert by_stream == {stream: [stream, stream + 4, stream + 8] for stream in range(4)}
    assert [chunk.tsn for chunk in all_chunks(packets)] == sorted(chunk.tsn for chunk in all_chunks(packets))


def test_each_part_of_a_record_goes_its_way() -> None:
    bench = Bench(paths=2)
    primary, second = bench.paths
    queue = bench.sender.queue
    for path, is_last in ((second, False), (None, False), (second, True)):
        message = part(queue, bytes(10), is_last=is_last)
        assert message.terms is not None
        message.terms.address = None if path is None else path.address
        queue.append(message)
    assert sent(bench.flush()) == [(second, [0]), (primary, [1]), (second, [2])]


def test_behind_a_cookie_echo_goes_nothing_that_is_for_another_address() -> None:
    """§5.1 C."""
    bench = Bench(paths=2, established=False)
    second = bench.paths[1]
    for path in (None, bench.path, second, None):
        enqueue(bench, 10, path)
    packet = OutgoingPacket(bench.path, takes_data_early=True)
    assert bench.sender.fill(packet, bench.now)
    assert read(packet.path, packet.chunks).numbers == [0, 1]
    bench.sender.handshake_done(peer_rwnd_bytes=bench.rwnd, now=bench.now)
    assert sent(bench.flush()) == [(second, [2]), (bench.path, [3])]


def test_a_message_that_names_no_address_rides_behind_a_cookie_echo_to_any() -> None:
    bench = Bench(paths=2, established=False)
    enqueue(bench, 10, bench.paths[1])
    enqueue(bench, 10, None)
    packet = OutgoingPacket(bench.paths[1], takes_data_early=True)
    assert bench.sender.fill(packet, bench.now)
    assert read(packet.path, packet.chunks).numbers == [0, 1]


def test_nothing_is_kept_of_them_once_they_are_acknowledged() -> None:
    """So that runs of packets are filled again."""
    bench = Bench(paths=2)
    enqueue(bench, 10, bench.paths[1])
    bench.flush()
    limits = bench.sender.queue.limits
    assert limits is not None
    assert limits.live
    bench.sack(0, after=0.01)
    bench.enqueue(10)
    assert numbers(bench.flush()) == [[1]]
    assert not limits.live
