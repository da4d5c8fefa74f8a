"""What holds of every association and stack after each flush, whatever befell them.

What is cheap is checked of each association that a flush changed. What is linear in what it holds is checked once it
has changed about as often as it holds things, so that all of it stays proportional to the work done.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Outgoing
from aiosctp.core.rx.receiver import Receiver
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import AssociationState
from aiosctp.core.tx.records import Records
from aiosctp.stack import TIMER_REST_S, Stack
from aiosctp.stream_output import StreamOutput
from tests.core.laws import check_planes, check_stack, check_state
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.reconfig_laws import check_reconfiguration
from tests.simulation.users import LARGEST_MESSAGE_BYTES
from tests.simulation.wrapping import Maker

MAY_RECEIVE_DATA = frozenset(
    {AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT}
)
CHUNKS_PER_CHECK = 4
"""What may be held for each change, at the price of one look at all of it."""
FLUSHES_PER_STACK_CHECK = 50
MOST_FLUSHES_FOR_NOTHING = 1000
"""Of one stack at one instant, while it sends nothing: more have no end, for virtual time stands still."""
LARGEST_CWND_BYTES = 1 << 30
LEAST_PMDCS_BYTES = 576 - 48 - 12
"""A larger path MTU lifts no window (RFC 8899 §3, 7): they may be from the time of the smallest."""


class EngineLaws:
    """Looks at what each flush changed."""

    def __init__(self, judge: Judge) -> None:
        self.flushes = 0
        self.demands: dict[Receiver, str] = {}
        """Receivers that owe a SACK by the end of this flush, and why."""
        self.handed_over_bytes: dict[AssociationEngine, int] = {}
        """What byte streams had and a shutdown sends first: that was the program's already, whatever the marks say."""
        self._record_streams: dict[Records, set[int]] = {}
        """On which records were given: where a part is awaited, its stream's room is all that it needs."""
        self._marks: dict[AssociationEngine, tuple[int, int, int]] = {}
        """The lowest and the highest mark of its streams and the highest of its own, so far: what was taken below them
        stays."""
        self._judge = judge
        self._changes_since_check: dict[AssociationEngine, int] = {}
        self._flushes_for_nothing: dict[Stack, tuple[float, int, int]] = {}
        """When it was last flushed, how many datagrams it had sent then, how often it was flushed since with neither
        changing."""

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("stack:Stack.flush", self._checking),
            ("core.tx.records:Records.given", self._noting_records),
            ("stream_output:StreamOutput.hand_over_all", self._noting_handed_over),
            ("core.rx.receiver:Receiver.build_sack", self._noting_sacks),
            ("core.rx.receiver:Receiver._duplicate", partial(self._demanding_sack, "a duplicate came (§6.2)")),
            ("core.rx.receiver:Receiver._renege", partial(self._demanding_sack, "a chunk held was dropped (§6.2)")),
        ]

    def _demanding_sack(self, why: str, original: Any) -> Any:
        def method(receiver: Receiver, *arguments: Any) -> Any:
            self.demands[receiver] = why
            return original(receiver, *arguments)

        return method

    def _noting_handed_over(self, original: Any) -> Any:
        def hand_over_all(output: StreamOutput) -> None:
            engine = output._engine
            had_bytes = engine.sender.buffered_bytes
            original(output)
            given_bytes = engine.sender.buffered_bytes - had_bytes
            self.handed_over_bytes[engine] = self.handed_over_bytes.get(engine, 0) + given_bytes

        return hand_over_all

    def _noting_records(self, original: Any) -> Any:
        def given(records: Records, message: Outgoing) -> None:
            self._record_streams.setdefault(records, set()).add(message[1])
            original(records, message)

        return given

    def _noting_sacks(self, original: Any) -> Any:
        def build_sack(receiver: Receiver, room_bytes: int) -> bytes:
            self.demands.pop(receiver, None)
            encoded: bytes = original(receiver, room_bytes)
            return encoded

        return build_sack

    def _checking(self, original: Any) -> Any:
        def flush(stack: Stack, now: float) -> None:
            assert stack._engine is not None
            changed = list(stack._engine._touched)
            original(stack, now)
            try:
                self._check_makes_progress(stack, stack._engine, now)
                self._check(stack, stack._engine, changed)
            except AssertionError as error:
                self._judge.accuse(error)

        return flush

    def _check_makes_progress(self, stack: Stack, engine: StackEngine, now: float) -> None:
        sent = engine.counters.datagrams_sent
        last, sent_then, flushes = self._flushes_for_nothing.get(stack, (now, sent, 0))
        flushes = flushes + 1 if (last, sent_then) == (now, sent) else 0
        assert flushes <= MOST_FLUSHES_FOR_NOTHING, "the stack is flushed again and again, and nothing comes of it"
        self._flushes_for_nothing[stack] = now, sent, flushes

    def _check(self, stack: Stack, engine: StackEngine, changed: list[AssociationEngine]) -> None:
        self.flushes += 1
        if self.flushes % FLUSHES_PER_STACK_CHECK == 0:
            everyone = [each for endpoint in engine.endpoints.values() for each in endpoint.associations]
            check_stack(engine, everyone)
        for association in changed:
            if association.state is AssociationState.CLOSED:
                self._changes_since_check.pop(association, None)
                self.handed_over_bytes.pop(association, None)
                self._marks.pop(association, None)
                self._check_ended(engine, association)
            elif association not in engine._touched:  # else it has more to say, in a flush that is due
                self._check_living(engine, association)
        self.demands.clear()
        deadline = engine.next_deadline()
        if deadline is not None and not stack.is_closed:
            assert stack._timer is not None, "deadlines, and no timer in the loop"
            assert stack._timer_rests_until <= stack.now() + TIMER_REST_S, "the timer rests too long"
            assert stack._timer_at <= max(deadline, stack._timer_rests_until), "the loop's timer would miss a deadline"

    def _check_ended(self, engine: StackEngine, association: AssociationEngine) -> None:
        check_state(association)
        assert association not in engine._lookup.known, "an association that has ended can still be found"
        assert association not in engine._wake_ups._by_association, "an association that has ended would be woken"
        assert association.sender.is_drained
        assert not association.sender.buffered_bytes
        check_reconfiguration(association)

    def _check_living(self, engine: StackEngine, association: AssociationEngine) -> None:
        check_state(association)
        check_reconfiguration(association)
        self._check_paths(association)
        self._check_window(association)
        self._check_send_buffers(association)
        tag = association.tcb.local_tag
        assert engine._lookup.by_tag[tag] is association, "a living association can't be found by its tag"
        due = association.next_deadline()
        if due is not None:
            assert engine._wake_ups._by_association[association][0] <= due, "its next deadline would be missed"
        held = len(association.sender.outstanding) + len(association.receiver._reassembly)
        changes = self._changes_since_check.get(association, 0) + 1
        if changes * CHUNKS_PER_CHECK > held:
            check_planes(association)
            changes = 0
        self._changes_since_check[association] = changes

    def _check_paths(self, association: AssociationEngine) -> None:
        config = association.config
        for path in association.paths:
            rto_s = path.rto.rto_s
            assert config.rto_min_s <= rto_s <= config.rto_max_s, f"{path}: RTO {rto_s}"
            cwnd, ssthresh = path.congestion.cwnd, path.congestion.ssthresh
            assert LEAST_PMDCS_BYTES <= cwnd <= LARGEST_CWND_BYTES, f"{path}: cwnd {cwnd}"
            assert ssthresh >= LEAST_PMDCS_BYTES, f"{path}: ssthresh {ssthresh}"
        assert association.failure.error_count <= config.association_max_retrans, "§8.1: it should have been given up"

    def _check_send_buffers(self, association: AssociationEngine) -> None:
        """A message is taken when its stream, and the association, hold less than their marks."""
        config, queue = association.config, association.sender.queue
        mark = config.stream_send_buffer_bytes
        least, most, total = self._marks.get(association, (mark, mark, 0))
        least_bytes, mark_bytes, total_bytes = min(least, mark), max(most, mark), max(total, config.send_buffer_bytes)
        self._marks[association] = least_bytes, mark_bytes, total_bytes
        counted_bytes = 0
        handed_over_bytes = self.handed_over_bytes.get(association, 0)
        for stream in queue.streams():
            most_bytes = mark_bytes + LARGEST_MESSAGE_BYTES + handed_over_bytes
            assert stream.buffered_bytes < most_bytes, f"stream {stream.number} takes all"
            counted_bytes += min(stream.buffered_bytes, least_bytes)
        of_records = 0 if queue.records is None else len(self._record_streams.get(queue.records, ()))
        most_bytes = total_bytes + mark_bytes * (1 + of_records) + handed_over_bytes
        assert counted_bytes < most_bytes, f"{counted_bytes} bytes wait to be sent"

    def _check_window(self, association: AssociationEngine) -> None:
        if association.state not in MAY_RECEIVE_DATA:
            return
        receiver = association.receiver
        window = receiver._window
        if window._advertised_bytes == 0 and window.held_bytes <= window.brink_bytes:
            raise LawBroken("the window was closed, has room again, and nobody told the peer (§6.2)")
        why = self.demands.get(receiver)
        if why is not None:
            raise LawBroken(f"no SACK was sent at once although {why}")
