"""What the engine does in single steps that no look at its state can tell afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiosctp.core.congestion.reno import Reno
from aiosctp.core.heartbeat import NONCE_BYTES, Heartbeats
from aiosctp.core.paths import Path, Paths
from aiosctp.core.rx.receiver import Receiver
from aiosctp.core.tx import Sender
from aiosctp.core.tx.chunk import ABANDONED, ACKNOWLEDGED, IN_FLIGHT, OutstandingChunk
from aiosctp.core.tx.outstanding import Outstanding
from aiosctp.core.tx.peer_ack_point import PeerAckPoint
from aiosctp.wire.causes import Cause
from aiosctp.wire.chunks import HeartbeatAck, NrSack, Sack
from aiosctp.wire.codepoints import CauseCode, ChunkType
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.wrapping import Maker

# Both ends are ours and CRC-32c stands between: nothing that a peer could be blamed for may happen.
BLAMELESS = frozenset(
    {
        CauseCode.USER_INITIATED_ABORT,
        CauseCode.OUT_OF_RESOURCE,
        CauseCode.RESTART_WITH_NEW_ADDRESSES,
        CauseCode.STALE_COOKIE,
        CauseCode.COOKIE_RECEIVED_WHILE_SHUTTING_DOWN,
        CauseCode.RESTART_WITH_NEW_ENCAPSULATION_PORT,
    }
)


class ReactionLaws:
    """Laws over single calls: of a retransmission, a SACK taken or made, a timer."""

    def __init__(self, judge: Judge, now: Callable[[], float]) -> None:
        self._judge = judge
        self._now = now
        self._resent: dict[Outstanding, dict[int, float]] = {}
        """When chunks were sent last that were sent more than once, by number."""
        self._forwarded_at_s: dict[PeerAckPoint, float] = {}
        """When the first FORWARD TSN was sent for which T3 runs, where it does."""
        self._kept: dict[Receiver, set[int]] = {}
        """What NR-SACKs have said is never dropped, above the cumulative TSN."""

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("core.tx.outstanding:Outstanding.resent", self._noting_retransmissions),
            ("core.tx.peer_ack_point:PeerAckPoint.take", self._noting_forward_tsns),
            ("core.tx.sender:Sender._acknowledged", self._around_acknowledged),
            ("core.tx.sender:Sender.t3_expired", self._around_t3),
            ("core.tx.sender:Sender._fast_retransmit", self._around_fast_retransmit),
            ("core.congestion.reno:Reno.acknowledged", self._around_growth),
            ("core.rx.receiver:Receiver.build_sack", self._after_sack_built),
            ("core.rx.receiver:Receiver._make_room", self._after_room_made),
            ("core.rx.receiver:Receiver._renege", self._before_reneging),
            ("core.heartbeat:Heartbeats.ack_received", self._around_heartbeat_ack),
            ("core.acceptance:paths_of", self._after_paths_named),
            ("core.termination:Termination.abort", self._before_abort),
        ]

    def _hold(self, check: Callable[..., None], *arguments: Any) -> None:
        try:
            check(*arguments)
        except AssertionError as error:
            self._judge.accuse(error)

    # -- retransmissions --

    def _noting_retransmissions(self, original: Any) -> Any:
        def resent(outstanding: Outstanding, chunk: OutstandingChunk, *arguments: Any) -> None:
            self._resent.setdefault(outstanding, {})[chunk.number] = self._now()
            original(outstanding, chunk, *arguments)

        return resent

    def _noting_forward_tsns(self, original: Any) -> Any:
        def take(point: PeerAckPoint, *arguments: Any) -> Any:
            before = point.awaited_on
            chunk = original(point, *arguments)
            if before is not point.awaited_on:
                self._forwarded_at_s[point] = self._now()
            return chunk

        return take

    def _around_acknowledged(self, original: Any) -> Any:
        def acknowledged(sender: Sender, tsn: int, sack: Sack | NrSack | None, now: float, *final: Any) -> Any:
            timed = list(sender._round_trips._timed.items())
            cause = original(sender, tsn, sack, now, *final)
            resent = self._resent.get(sender.outstanding)
            if resent is not None:
                for path, (number, _) in timed:
                    if path not in sender._round_trips._timed and number in resent:
                        self._judge.accuse(LawBroken("a round trip was measured on what was sent twice (§6.3.1 C5)"))
            return cause

        return acknowledged

    # -- timers and losses --

    def _around_t3(self, original: Any) -> Any:
        def t3_expired(sender: Sender, path: Path, now: float) -> bool:
            rto_s = path.rto.rto_s
            self._hold(self._check_t3_is_due, sender, path, now)
            counts: bool = original(sender, path, now)
            self._hold(self._check_t3_handled, sender, path, rto_s, counts)
            return counts

        return t3_expired

    def _check_t3_is_due(self, sender: Sender, path: Path, now: float) -> None:
        outstanding = sender.outstanding
        done = ACKNOWLEDGED, ABANDONED
        chunks = [chunk for chunk in outstanding if chunk.path is path and chunk.state not in done]
        point = None if sender.queue.limits is None else sender.queue.limits.point
        forwarded_at_s = None
        if point is not None and point.awaited_on is path:
            forwarded_at_s = self._forwarded_at_s[point]  # RFC 3758 §3.5 C5
        if forwarded_at_s is None and not chunks:
            raise LawBroken("T3-rtx expired on a path with nothing outstanding (§6.3.2 R2)")
        resent = self._resent.get(outstanding, {})
        sent_at_s = resent.get(chunks[0].number, chunks[0].sent_at_s) if chunks else now
        if forwarded_at_s is not None:
            sent_at_s = min(sent_at_s, forwarded_at_s)
        least_s = min(path.rto.rto_s, sender._transmission.config.rto_min_s)
        if now - sent_at_s < least_s - 1e-6:
            raise LawBroken(f"T3-rtx expired {now - sent_at_s:.3f} s after the earliest chunk was sent (§6.3.2)")

    def _check_t3_handled(self, sender: Sender, path: Path, rto_s: float, counts: bool) -> None:
        config = sender._transmission.config
        assert path.rto.rto_s >= min(2 * rto_s, config.rto_max_s) - 1e-9, "§6.3.3 E2: the RTO was not doubled"
        assert not path.flight_bytes, "§6.3.3 E3: T3-rtx expired, and chunks are in flight still"
        if counts:
            assert path.congestion.cwnd <= path.pmdcs, "§7.2.3: T3-rtx expired, and cwnd is more than one packet"

    def _around_fast_retransmit(self, original: Any) -> Any:
        def fast_retransmit(sender: Sender, lost: list[OutstandingChunk]) -> None:
            was_recovering = sender.in_fast_recovery
            before = {chunk.path: chunk.path.congestion.cwnd for chunk in lost}
            original(sender, lost)
            self._hold(self._check_fast_retransmit, lost, {} if was_recovering else before)

        return fast_retransmit

    def _check_fast_retransmit(self, lost: list[OutstandingChunk], before: dict[Path, int]) -> None:
        for chunk in lost:
            assert chunk.state is not IN_FLIGHT, "§7.2.4: what was lost counts as in flight still"
        for path, cwnd in before.items():
            most = min(cwnd, max(cwnd // 2, 4 * path.pmdcs))
            assert path.congestion.cwnd <= most, f"§7.2.3: a loss left cwnd at {path.congestion.cwnd} of {cwnd}"

    def _around_growth(self, original: Any) -> Any:
        def acknowledged(reno: Reno, acked_bytes: int, **how: bool) -> None:
            cwnd, is_in_slow_start = reno.cwnd, reno.cwnd <= reno.ssthresh
            original(reno, acked_bytes, **how)
            if not is_in_slow_start:
                most = reno._pmdcs
            else:
                most = 0 if how["in_fast_recovery"] else acked_bytes
            if reno.cwnd - cwnd > (most if how["is_cwnd_limited"] else 0):
                self._judge.accuse(LawBroken(f"cwnd grew from {cwnd} to {reno.cwnd} for {acked_bytes} bytes (§7.2)"))

        return acknowledged

    # -- acknowledgement --

    def _after_sack_built(self, original: Any) -> Any:
        def build_sack(receiver: Receiver, room_bytes: int) -> bytes:
            encoded: bytes = original(receiver, room_bytes)
            self._hold(self._check_sack, receiver, encoded, room_bytes)
            return encoded

        return build_sack

    def _check_sack(self, receiver: Receiver, encoded: bytes, room_bytes: int) -> None:
        tsns = receiver._tsns
        cumulative = int.from_bytes(encoded[4:8])
        assert cumulative == tsns.cumulative & 0xFFFF_FFFF, "a SACK with a wrong Cumulative TSN Ack"
        if encoded[0] == ChunkType.NR_SACK:
            self._check_nr_blocks(receiver, NrSack.decode(0, encoded[4:]), (room_bytes - 20) // 4)
        else:
            self._check_blocks(receiver, encoded, (room_bytes - 16) // 4)
        # What the peer may still send is no more than there is room for.
        window = receiver._window
        assert int.from_bytes(encoded[8:12]) <= max(0, window.size_bytes - window.held_bytes), "a_rwnd beyond the room"

    def _check_blocks(self, receiver: Receiver, encoded: bytes, room: int) -> None:
        tsns = receiver._tsns
        blocks = int.from_bytes(encoded[12:14])
        fitting = min(tsns.gap_ranges, room)
        assert blocks == fitting, f"a SACK with {blocks} of {tsns.gap_ranges} gap blocks (§6.2)"
        if blocks:
            first = int.from_bytes(encoded[16:18]), int.from_bytes(encoded[18:20])
            assert first == (tsns._starts[0] - tsns.cumulative, tsns._ends[0] - tsns.cumulative), "a wrong gap block"

    def _check_nr_blocks(self, receiver: Receiver, sack: NrSack, room: int) -> None:
        """Of each TSN received one kind of block says so; and what can't be dropped is never said to be otherwise."""
        tsns, base = receiver._tsns, receiver._tsns.cumulative
        renegable = {base + at for start, end in sack.gap_ack_blocks for at in range(start, end + 1)}
        kept = {base + at for start, end in sack.nr_gap_ack_blocks for at in range(start, end + 1)}
        assert not renegable & kept, "a TSN that may be dropped, and may not"
        received = {tsn for start, end in zip(tsns._starts, tsns._ends, strict=True) for tsn in range(start, end + 1)}
        assert renegable | kept <= received, "a gap block for what was not received"
        all_fit = len(sack.gap_ack_blocks) + len(sack.nr_gap_ack_blocks) < room
        assert renegable | kept == received or not all_fit, "a gap block is missing (§6.2)"
        assert not any(map(receiver._reassembly.is_held, kept)), "a NR-SACK promises to keep what may be dropped"
        told = {tsn for tsn in self._kept.get(receiver, ()) if tsn > base}
        assert told <= received, "what a NR-SACK promised to keep is gone"
        assert told <= kept or not all_fit, "what a NR-SACK promised to keep may be dropped again"
        self._kept[receiver] = told | kept

    def _before_reneging(self, original: Any) -> Any:
        def renege(receiver: Receiver, tsn: int) -> None:
            if tsn in self._kept.get(receiver, ()):
                self._judge.accuse(LawBroken("what a NR-SACK promised to keep was dropped"))
            original(receiver, tsn)

        return renege

    def _after_room_made(self, original: Any) -> Any:
        def make_room(receiver: Receiver, tsn: int, charge_bytes: int) -> bool:
            is_below = tsn <= receiver._tsns.highest
            is_taken: bool = original(receiver, tsn, charge_bytes)
            if is_below and not is_taken and not receiver._window.is_overdrawn:
                self._judge.accuse(LawBroken("a TSN below the highest received was dropped (§6.2)"))
            if is_taken and not is_below:
                self._judge.accuse(LawBroken("a TSN above the highest received was taken into a closed window (§6.2)"))
            return is_taken

        return make_room

    # -- addresses --

    def _after_paths_named(self, original: Any) -> Any:
        def paths_of(*arguments: Any) -> Paths:
            paths: Paths = original(*arguments)
            if sum(path.is_confirmed for path in paths) > 1:
                self._judge.accuse(LawBroken("§5.4: an address that a peer merely named was taken for confirmed"))
            return paths

        return paths_of

    def _around_heartbeat_ack(self, original: Any) -> Any:
        def ack_received(heartbeats: Heartbeats, chunk: HeartbeatAck, now: float) -> None:
            nonce = chunk.info[:NONCE_BYTES]
            answered = [path for path in heartbeats._association.paths if nonce in path.pending_heartbeats]
            original(heartbeats, chunk, now)
            if not all(path.is_confirmed for path in answered):
                self._judge.accuse(LawBroken("§5.4: an address that returned its nonce is not confirmed"))

        return ack_received

    # -- blame --

    def _before_abort(self, original: Any) -> Any:
        def abort(termination: Any, causes: tuple[Cause, ...]) -> None:
            for cause in causes:
                if cause.code not in BLAMELESS:
                    self._judge.accuse(LawBroken(f"the peer is ours, and is blamed: {cause}"))
            original(termination, causes)

        return abort
