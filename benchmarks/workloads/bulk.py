"""Bulk goodput one way: bytes of messages received a second, at path MTU 1500, and at the path MTU a stack finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.pairs import RECEIVER_CPU, SENDER_CPU, goodput

NAME = "bulk"
SIZES = (64, 1024, 16384, 65536)
STREAMS = (1, 100)
SCTP = ("aiosctp", "aiosctp-uvloop", "usrsctp", "aiortc")
AT_1500 = (*SCTP, "aiosctp-uvloop-data", "udp", "udp-gso")
AS_FOUND = ("aiosctp", "aiosctp-uvloop", "tcp", "tcp-uvloop", "udp")


def case_name(size: int, streams: int = 1, *, unordered: bool = False, path_mtu: int = 1500) -> str:
    order = "unordered" if unordered else "ordered"
    mtu = f"MTU {path_mtu}" if path_mtu else "MTU as found"
    return f"{size} B, {streams} {'stream' if streams == 1 else 'streams'}, {order}, {mtu}"


def _cases() -> Iterable[Case]:
    for size in SIZES:
        for streams in STREAMS:
            for unordered in (False, True):
                # What has no streams and no order is measured once for each size.
                peers = AT_1500 if streams == 1 and not unordered else SCTP
                yield _case(size, streams, unordered, 1500, peers)
        yield _case(size, 1, False, 0, AS_FOUND)


def _case(size: int, streams: int, unordered: bool, path_mtu: int, peers: tuple[str, ...]) -> Case:
    return Case(
        case_name(size, streams, unordered=unordered, path_mtu=path_mtu),
        peers,
        {"message_bytes": size, "streams": streams, "unordered": int(unordered), "path_mtu": path_mtu},
    )


def _goodput(peer: str, size: int, path_mtu: int = 1500) -> Reading:
    return Reading(NAME, case_name(size, path_mtu=path_mtu), peer, "goodput_bits_per_s")


_OURS = _goodput("aiosctp-uvloop", 16384)


class Bulk:
    name = NAME
    summary = "goodput one way, by message size, streams and order, at path MTU 1500 and at the one found"
    figures: Sequence[Figure] = (
        Figure("goodput_bits_per_s", "Gbit/s", 1e9),
        Figure("messages_per_s", "k messages/s", 1e3),
        SENDER_CPU,
        RECEIVER_CPU,
        Figure("bits_per_busier_cpu_s", "Gbit/CPU s of the busier", 1e9),
    )
    bars: Sequence[Bar] = (
        Bar("bulk at path MTU 1500, 16 KiB messages, vs usrsctp", _OURS, _goodput("usrsctp", 16384), 2.0, 4.0),
        Bar("the same in I-DATA vs in DATA", _OURS, _goodput("aiosctp-uvloop-data", 16384), 0.85, 1.0),
        Bar("the same vs aiortc on uvloop", _OURS, _goodput("aiortc", 16384), 12.0, 30.0),
        Bar("the same vs bare UDP with GSO/GRO by the same interpreter", _OURS, _goodput("udp-gso", 16384), 0.15, 0.35),
        Bar(
            "bulk at the path MTU it finds (loopback), 64 KiB messages, vs asyncio TCP streams with uvloop",
            _goodput("aiosctp-uvloop", 65536, 0),
            _goodput("tcp-uvloop", 65536, 0),
            0.4,
            1.0,
        ),
    )

    def cases(self) -> Sequence[Case]:
        return tuple(_cases())

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        return await goodput(peer, turn, **case.parameters)


WORKLOAD = Bulk()
