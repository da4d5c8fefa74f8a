"""Bundling (§6.10), and the bound of what waits for it."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.packing import MAX_QUEUED_CONTROL_CHUNKS, ControlQueue, OutgoingPacket
from aiosctp.core.paths import Path
from aiosctp.wire.packet import HEADER_BYTES


def make_path(address: str = "192.0.2.1", path_mtu: int = 1500) -> Path:
    return Path(address, "192.0.2.9", 9899, Config(path_mtu=path_mtu), is_confirmed=True)


def test_a_packet_has_room_for_what_the_path_mtu_leaves() -> None:
    packet = OutgoingPacket(make_path())
    assert packet.room == 1472 - HEADER_BYTES
    packet.add(bytes(100))
    packet.add(bytes(60))
    assert (packet.size, packet.room) == (HEADER_BYTES + 160, 1472 - HEADER_BYTES - 160)
    assert packet.chunks == [bytes(100), bytes(60)]


def test_a_chunk_that_no_packet_holds_leaves_no_room() -> None:
    """A cookie may be larger than the path MTU: it goes out all the same, and nothing is put behind it."""
    packet = OutgoingPacket(make_path())
    packet.add(bytes(2000))
    assert packet.room < 0


def test_two_packets_do_not_share_their_chunks() -> None:
    path = make_path()
    OutgoingPacket(path).add(bytes(4))
    assert OutgoingPacket(path).chunks == []


def test_chunks_of_one_path_are_bundled_in_their_order() -> None:
    queue, path = ControlQueue(), make_path()
    for number in range(5):
        queue.push(path, bytes([number]) * 4)
    (packet,) = queue.take_bundled()
    assert packet.chunks == [bytes([number]) * 4 for number in range(5)]
    assert packet.path is path
    assert not packet.is_complete
    assert len(queue) == 0


def test_a_packet_is_filled_to_the_last_byte_and_then_closed() -> None:
    """§6.10: "MUST NOT ... exceed the current PMTU"; only the last packet of a path takes more."""
    queue, path = ControlQueue(), make_path()
    room = OutgoingPacket(path).room
    for chunk in (bytes(room - 8), bytes(8), bytes(4), bytes(room)):
        queue.push(path, chunk)
    packets = queue.take_bundled()
    assert [[len(chunk) for chunk in packet.chunks] for packet in packets] == [[room - 8, 8], [4], [room]]
    assert [packet.is_complete for packet in packets] == [True, True, False]
    assert all(packet.size <= path.packet_bytes for packet in packets)


def test_each_path_has_packets_of_its_own() -> None:
    queue, one, two = ControlQueue(), make_path("192.0.2.1"), make_path("192.0.2.2", path_mtu=576)
    for _ in range(3):
        queue.push(one, bytes(400))
        queue.push(two, bytes(400))
    packets = queue.take_bundled()
    assert [(packet.path is one, len(packet.chunks)) for packet in packets] == [
        (True, 3),
        (False, 1),
        (False, 1),
        (False, 1),
    ]


def test_whole_packets_keep_their_order_and_stay_whole() -> None:
    queue, path = ControlQueue(), make_path()
    first, second = OutgoingPacket(path, verification_tag=0), OutgoingPacket(path)
    queue.push(path, bytes(4))
    queue.push_packet(first)
    queue.push_packet(second)
    assert queue.take_packets() == [first, second]
    assert queue.take_packets() == []
    assert len(queue) == 1


def test_a_peer_cannot_make_us_queue_without_bound() -> None:
    """Beyond the bound answers are dropped; the peer gets them by asking again."""
    queue, path = ControlQueue(), make_path()
    for _ in range(MAX_QUEUED_CONTROL_CHUNKS - 1):
        queue.push(path, bytes(4))
    queue.push_packet(OutgoingPacket(path))
    assert len(queue) == MAX_QUEUED_CONTROL_CHUNKS
    queue.push(path, bytes(4))
    queue.push_packet(OutgoingPacket(path))
    assert len(queue) == MAX_QUEUED_CONTROL_CHUNKS
    assert len(queue.take_packets()) == 1
    assert sum(len(packet.chunks) for packet in queue.take_bundled()) == MAX_QUEUED_CONTROL_CHUNKS - 1
    queue.push(path, bytes(4))
    assert len(queue) == 1


def test_clearing_forgets_what_waits() -> None:
    queue, path = ControlQueue(), make_path()
    queue.push(path, bytes(4))
    queue.push_packet(OutgoingPacket(path))
    queue.clear()
    assert (len(queue), queue.take_packets(), queue.take_bundled()) == (0, [], [])
