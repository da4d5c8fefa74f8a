"""Coverage marks: the rare places of the engine, and how often a run came by them.

Each is counted by wrapping a method of the engine from here, for as long as a seed runs: the engine knows nothing of
it. A name that no longer exists fails when the marks are put on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from aiosctp.core.collision import CookieAction, InitAction
from aiosctp.core.messages import Outgoing, Part
from aiosctp.core.reconfig.requests import (
    AddIncoming,
    AddOutgoing,
    IncomingReset,
    Outcome,
    OutgoingReset,
    TsnReset,
)
from aiosctp.core.states import AssociationState
from aiosctp.events import PeerAddressChangeKind
from aiosctp.wire.codepoints import ReconfigurationResult
from tests.simulation.wrapping import Maker

HasHappened = Callable[[tuple[Any, ...], Any], bool]
"""Of the arguments, the instance first, and the result; or the exception raised."""


def _always(arguments: tuple[Any, ...], result: Any) -> bool:
    return True


def _returned(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(result)


def _raised(arguments: tuple[Any, ...], result: Any) -> bool:
    return isinstance(result, Exception)


def _in(state: AssociationState) -> HasHappened:
    return lambda arguments, result: arguments[0]._association.state is state


def _is_part(message: Outgoing) -> bool:
    return isinstance(message[6], Part)


def _told(change: PeerAddressChangeKind) -> HasHappened:
    return lambda arguments, result: arguments[2] is change


def _returns(value: object) -> HasHappened:
    return lambda arguments, result: result is value


ASKED: dict[type, str] = {
    OutgoingReset: "outgoing reset",
    IncomingReset: "incoming reset",
    TsnReset: "association reset",
    AddOutgoing: "adding outgoing streams",
    AddIncoming: "adding incoming streams",
}
"""What one side may ask of the other."""


def _ended(kind: type, outcome: Outcome) -> HasHappened:
    return lambda arguments, result: type(arguments[1]) is kind and arguments[2] is outcome


def _has_wrapped(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(arguments[0]._tsns.cumulative >> 32)


MARKS: dict[str, tuple[str, HasHappened]] = {
    # The beginning.
    "T1-init expired": (
        "handshake:Handshake._t1_expired",
        lambda arguments, result: arguments[0]._association.state is AssociationState.COOKIE_WAIT,
    ),
    "T1-cookie expired": (
        "handshake:Handshake._t1_expired",
        lambda arguments, result: arguments[0]._association.state is AssociationState.COOKIE_ECHOED,
    ),
    "stale cookie found": ("acceptance:Acceptance.stale_answer", _returned),
    "told of a stale cookie": ("handshake:Handshake._error_received", _in(AssociationState.COOKIE_WAIT)),
    "cookie of no use": ("acceptance:Acceptance.open_cookie", _raised),
    "collision": ("establishment:Establishment.collided", _always),
    "INIT collides": ("acceptance:Acceptance._answer_collision", _always),
    "cookie echoed twice": ("establishment:Establishment.duplicate_cookie", _always),
    "cookie of before": ("acceptance:classify_cookie", _returns(CookieAction.DISCARD)),
    "connecting failed": ("termination:Termination.fail_to_connect", _always),
    # Restart.
    "restart": ("establishment:Establishment.restarted", _always),
    "restart refused": ("acceptance:classify_init", _returns(InitAction.REFUSE_NEW_ADDRESSES)),
    "INIT while SHUTDOWN-ACK-SENT": ("association:AssociationEngine.resend_shutdown_ack", _always),
    # Sending.
    "T3-rtx expired": ("tx.sender:Sender.t3_expired", _always),
    "run of packets": ("tx.run:Run.fill", lambda arguments, result: len(result) > 1),
    "fast retransmit": ("tx.sender:Sender._fast_retransmit", _always),
    "fast recovery": ("tx.loss:LossDetection.enter_fast_recovery", _always),
    "reneging by the peer": ("tx.outstanding:Outstanding.acknowledge", lambda arguments, result: bool(result.reneged)),
    "zero window": ("tx.peer_window:PeerWindow.closed", _always),
    "zero window probe": ("tx.peer_window:PeerWindow.probe_sent", _always),
    "window opened": ("tx.peer_window:PeerWindow.opened", lambda arguments, result: arguments[0].a_rwnd > 0),
    "retransmission elsewhere": (
        "paths:Paths.for_retransmission",
        lambda arguments, result: result is not arguments[1],
    ),
    "idle cwnd decayed": ("congestion.reno:Reno.idle_for_one_rto", _always),
    "SSN wrapped": ("tx.queue:OutgoingStream.begin_ordered", lambda arguments, result: arguments[0].next_ssn == 0),
    "send failed": ("termination:Termination.report_failed", lambda arguments, result: bool(list(arguments[1]))),
    # Receiving.
    "reneging": ("rx.receiver:Receiver._renege", _always),
    "duplicate TSN": ("rx.receiver:Receiver._duplicate", _always),
    "dropped for the window": (
        "rx.receiver:Receiver._make_room",
        lambda arguments, result: result is False,
    ),
    "taken for a gap in a closed window": ("rx.receiver:Receiver._make_room", _returns(True)),
    "TSN wrapped": ("rx.receiver:Receiver.build_sack", _has_wrapped),
    "delayed SACK": ("rx.receiver:Receiver.handle_delay_expired", _always),
    "partial delivery": ("rx.streams:InboundStreams.parts_begin", _always),
    # What the peer has given up, and I-DATA.
    "FORWARD TSN taken": ("rx.receiver:Receiver.forward_tsn_received", _always),
    "FORWARD TSN came again": (
        "rx.receiver:Receiver.forward_tsn_received",
        lambda arguments, result: (
            arguments[0].cumulative_tsn - arguments[1] & 0xFFFF_FFFF < 1 << 31 and arguments[0]._packet_is_urgent
        ),
    ),
    "partial delivery skipped": ("rx.receiver:Receiver.forward_tsn_received", _returned),
    "skipped while a reset of the TSNs is awaited": (
        "rx.renewal:Renewal.note_skipped",
        lambda arguments, result: arguments[0].awaited is not None and bool(arguments[1]),
    ),
    "two messages delivered in parts": (
        "rx.streams:InboundStreams.parts_begin",
        lambda arguments, result: sum(busy.partial is not None for busy in arguments[0]._busy.values()) > 1,
    ),
    "window full of half received ones": (
        "rx.delivery:IDataDelivery._begin_all",
        lambda arguments, result: sum(not run.is_complete for run in arguments[0]._reassembly._runs.values()) > 2,
    ),
    "NR-SACK with both kinds of blocks": (
        "rx.receiver:encode_nr_sack",
        lambda arguments, result: bool(arguments[2]) and bool(arguments[3]),
    ),
    "partial delivery aborted": ("rx.receiver:Receiver.abort_partial_delivery", _returned),
    # What is abandoned (RFC 3758).
    "FORWARD TSN acknowledged": (
        "tx.peer_ack_point:PeerAckPoint.acknowledged",
        lambda arguments, result: result is not None,
    ),
    "FORWARD TSN lost": (
        "tx.peer_ack_point:PeerAckPoint.timed_out",
        lambda arguments, result: arguments[0]._is_timed_out,
    ),
    "a message gives its room": ("tx.abandonment:Abandonment.make_room", _returned),
    "held message abandoned": ("tx.held:HeldMessages.drop", _returned),
    # Records (RFC 6458 §8.1.26).
    "part given": ("tx.records:Records.given", _always),
    "records begun side by side": (
        "tx.records:Records.given",
        lambda arguments, result: len(arguments[0].begun) > 1,
    ),
    "a restart cuts records off": ("tx.records:Records.clear", lambda arguments, result: bool(arguments[0].lost)),
    "a record stands for its parts": ("tx.records:Records.place", lambda arguments, result: result is None),
    "all waits for the next part": ("tx.queue:SendQueue.is_awaited", _returned),
    "a reset waits for the end of a record": ("tx.queue:SendQueue.has_open_record_before", _returned),
    "messages suspended amid a record": (
        "tx.queue:SendQueue.suspend",
        lambda arguments, result: arguments[0].records is not None and bool(arguments[0].records.begun),
    ),
    "record held back": ("tx.held:HeldMessages.take", lambda arguments, result: result and _is_part(arguments[1])),
    # What is rarely set.
    "association closed for idleness": (
        "autoclose:due",
        lambda arguments, result: arguments[0].state is not AssociationState.ESTABLISHED,
    ),
    "chunk given up": ("termination:Termination.give_up", _always),
    "abandoned messages swept": ("tx.queue:SendQueue._sweep", _always),
    "MID wrapped": ("tx.queue:OutgoingStream.begin_unordered", lambda arguments, result: result == 0xFFFF_FFFF),
    # Paths.
    "path failed": ("failure:FailureDetection._tell", _told(PeerAddressChangeKind.UNREACHABLE)),
    "path back": ("failure:FailureDetection._tell", _told(PeerAddressChangeKind.AVAILABLE)),
    "path verified": ("failure:FailureDetection._tell", _told(PeerAddressChangeKind.CONFIRMED)),
    "HEARTBEAT unanswered": ("heartbeat:Heartbeats.unanswered", _always),
    "source rotated": ("paths:Path.rotate_source", _always),
    # Their MTUs.
    "path MTU probed": ("path_mtu:PathMtuDiscovery._probe", _always),
    "path MTU raised": ("path_mtu:PathMtuDiscovery._raise", _always),
    "path MTU probe lost": ("path_mtu:PathMtuDiscovery.unanswered", _always),
    "path MTU probe answered late": ("path_mtu:PathMtuDiscovery._answered_late", _always),
    "path MTU search complete": ("path_mtu:PathMtuDiscovery._complete", _always),
    "path MTU doubted": ("path_mtu:PathMtuDiscovery._confirm", _always),
    "path MTU doubted without reason": ("path_mtu:PathMtuDiscovery._doubt_was_unfounded", _always),
    "black hole found": ("path_mtu:PathMtuDiscovery._fall", _always),
    "packet too big": ("icmp:packet_too_big", lambda arguments, _: arguments[1].discovers_mtu),
    "path MTU lowered": ("path_mtu:PathMtuDiscovery.shrink", _always),
    "path MTU lowered by ICMP alone": ("packets_too_big:_believe", _always),
    # ICMP.
    "ICMP handled": ("stack:handle_icmp", lambda arguments, result: result is not None),
    "ICMP ignored": ("stack:handle_icmp", lambda arguments, result: result is None),
    "ICMP counted as an error": ("icmp:_count_error", _always),
    # The end.
    "T2-shutdown expired": ("shutdown:ShuttingDown._t2_expired", _always),
    "T5-shutdown-guard expired": ("termination:Termination.abort", lambda arguments, result: arguments[1] == ()),
    "SHUTDOWNs crossed": (
        "shutdown:ShuttingDown._shutdown_received",
        lambda arguments, result: arguments[0]._association.state is AssociationState.SHUTDOWN_ACK_SENT,
    ),
    "shut down gracefully": ("termination:Termination.end_gracefully", _always),
    "aborted here": (
        "association:AssociationEngine.abort",
        lambda arguments, result: arguments[0].ending is not None,
    ),
    "aborted by the peer": ("termination:Termination.abort_received", _always),
    "association lost": ("termination:Termination.lose", _always),
    # Streams that begin anew (RFC 6525).
    "T-RECONFIG expired": ("reconfig.asking:Asking.timer_expired", _always),
    **{
        f"{name} {outcome.name.lower()}": ("reconfig.asking:Asking._piece_ended", _ended(kind, outcome))
        for kind, name in ASKED.items()
        for outcome in (Outcome.DONE, Outcome.DENIED)
        if (kind, outcome) != (AddIncoming, Outcome.DONE)  # the answer to it is a request
    },
    "incoming asked for, and given": ("reconfig.asking:Asking.performed", _always),
    "asks again": ("reconfig.asking:Asking._asks_again", _returned),
    "incoming reset performed": ("reconfig.answering:Answering._begin_incoming_anew", _always),
    "incoming reset deferred": (
        "reconfig.answering:Answering._reset_incoming",
        _returns(ReconfigurationResult.IN_PROGRESS),
    ),
    "reset at the peer's wish": (
        "reconfig.answering:Answering._reset_outgoing",
        lambda arguments, result: not isinstance(result, int),
    ),
    "request in progress": (
        "reconfig.answering:Answering._decide",
        _returns(ReconfigurationResult.REQUEST_IN_PROGRESS),
    ),
    "nothing to do": ("reconfig.answering:Answering._decide", _returns(ReconfigurationResult.NOTHING_TO_DO)),
    "denied": ("reconfig.answering:Answering._decide", _returns(ReconfigurationResult.DENIED)),
    "association reset waits for our data": (
        "reconfig.answering:Answering._reset_association",
        _returns(ReconfigurationResult.IN_PROGRESS),
    ),
    "association reset performed": ("reconfig.answering:Answering.take_tsn_reset", _returned),
    "held message let go": ("tx.queue:SendQueue._let_go", _always),
    "messages suspended": ("tx.queue:SendQueue.suspend", _always),
    "stream forgotten": ("tx.queue:SendQueue.forget_stream", _returned),
    # Packets of nobody.
    "out of the blue": ("stack:StackEngine._out_of_the_blue", _always),
    "answered out of the blue": ("stack:StackEngine._answer_with_error", _returned),
    "another tag": ("stack:StackEngine._tag_exceptions", _always),
}
"""Mark -> where it is put, below aiosctp.core, and what of that it counts."""


def counting(counter: Counter[str]) -> list[tuple[str, Maker]]:
    """The wrappers that count every mark."""
    by_place: dict[str, list[tuple[str, HasHappened]]] = {}
    for mark, (where, has_happened) in MARKS.items():
        by_place.setdefault(where, []).append((mark, has_happened))
    return [(f"core.{where}", partial(_counted, marks, counter)) for where, marks in by_place.items()]


def _counted(marks: list[tuple[str, HasHappened]], counter: Counter[str], original: Any) -> Any:
    if len(marks) == 1:
        return _counted_once(*marks[0], counter, original)

    def wrapper(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        for mark, has_happened in marks:
            if has_happened(arguments, result):
                counter[mark] += 1
        return result

    return wrapper


def _counted_once(mark: str, has_happened: HasHappened, counter: Counter[str], original: Any) -> Any:
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            result = original(*arguments, **options)
        except Exception as error:
            counter[mark] += has_happened(arguments, error)
            raise
        if has_happened(arguments, result):
            counter[mark] += 1
        return result

    return wrapper
