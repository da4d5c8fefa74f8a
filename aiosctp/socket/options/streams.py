"""Streams: what comes next, what was abandoned, and requests to the peer (RFC 8260 §4.3, RFC 7496 §4.3, §4.4, RFC 6525
§6.3)."""

from __future__ import annotations

import errno
from typing import Final

from aiosctp import stream_requests
from aiosctp.core.timers import Timer
from aiosctp.core.tx.limits import Policy
from aiosctp.socket.constants import (
    SCTP_ADD_STREAMS,
    SCTP_ENABLE_CHANGE_ASSOC_REQ,
    SCTP_ENABLE_RESET_ASSOC_REQ,
    SCTP_ENABLE_RESET_STREAM_REQ,
    SCTP_ENABLE_STREAM_RESET,
    SCTP_PR_ASSOC_STATUS,
    SCTP_PR_SCTP_ALL,
    SCTP_PR_SCTP_PRIO,
    SCTP_PR_SCTP_RTX,
    SCTP_PR_SCTP_TTL,
    SCTP_PR_STREAM_STATUS,
    SCTP_RESET_ASSOC,
    SCTP_RESET_STREAMS,
    SCTP_SS_DEFAULT,
    SCTP_SS_FB,
    SCTP_SS_FCFS,
    SCTP_SS_PRIO,
    SCTP_SS_RR,
    SCTP_SS_RR_PKT,
    SCTP_SS_WFQ,
    SCTP_STREAM_RESET_INCOMING,
    SCTP_STREAM_RESET_OUTGOING,
    SCTP_STREAM_SCHEDULER,
    SCTP_STREAM_SCHEDULER_VALUE,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope, value
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.structures import (
    sctp_add_streams,
    sctp_prstatus,
    sctp_reset_streams,
    sctp_stream_value,
)

# -- schedulers (RFC 8260 §4.3.2, §4.3.3) --

_SCHEDULERS: Final = {
    SCTP_SS_DEFAULT: "fcfs",
    SCTP_SS_FCFS: "fcfs",
    SCTP_SS_RR: "rr",
    SCTP_SS_RR_PKT: "rr_packet",
    SCTP_SS_PRIO: "priority",
    SCTP_SS_FB: "fair",
    SCTP_SS_WFQ: "weighted",
}
_SCHEDULER_NUMBERS: Final = {name: number for number, name in _SCHEDULERS.items()}


def _set_scheduler(target: Target, number: int) -> Commit:
    if number not in _SCHEDULERS:
        raise error(errno.EINVAL, f"assoc_value is no scheduler: {number}")
    return target.change(scheduler=_SCHEDULERS[number])


def _read_stream_value(target: Target, asked: sctp_stream_value) -> sctp_stream_value:
    stream = asked.stream_id
    if target.member is None:
        number = target.settings.stream_values.get(stream, 0)
    else:
        _check_stream(target, "stream_id", stream)
        values = target.association.engine.sender.queue.values
        number = values.weight(stream) if target.config.scheduler == "weighted" else values.priority(stream)
    return sctp_stream_value(stream_id=stream, stream_value=number)


def _set_stream_value(target: Target, given: sctp_stream_value) -> Commit:
    """What it means "depends on the scheduler": it is kept as a priority and as a weight, of which the least is 1."""
    stream, number = given.stream_id, given.stream_value
    if target.member is not None:
        _check_stream(target, "stream_id", stream)

    def commit() -> None:
        if target.member is None:
            target.settings.stream_values[stream] = number
        else:
            target.association.configure_stream(stream, priority=number, weight=max(number, 1))

    return commit


def _check_stream(target: Target, name: str, stream: int) -> None:
    if stream >= target.association.outbound_streams:
        raise error(errno.EINVAL, f"{name} must be below {target.association.outbound_streams}, not {stream}")


# -- messages abandoned (RFC 7496 §4.3, §4.4) --

_POLICIES: Final = {
    SCTP_PR_SCTP_ALL: None,
    SCTP_PR_SCTP_TTL: Policy.TTL,
    SCTP_PR_SCTP_RTX: Policy.RTX,
    SCTP_PR_SCTP_PRIO: Policy.PRIO,
}


def _read_of_stream(target: Target, asked: sctp_prstatus) -> sctp_prstatus:
    _check_stream(target, "sprstat_sid", asked.sprstat_sid)
    return _abandoned(target, asked, asked.sprstat_sid)


def _read_of_association(target: Target, asked: sctp_prstatus) -> sctp_prstatus:
    return _abandoned(target, asked, None)


def _abandoned(target: Target, asked: sctp_prstatus, stream: int | None) -> sctp_prstatus:
    if asked.sprstat_policy not in _POLICIES:
        raise error(errno.EINVAL, f"sprstat_policy must be a policy or SCTP_PR_SCTP_ALL, not {asked.sprstat_policy}")
    sender = target.association.engine.sender
    unsent, sent = sender.abandoned_counts(stream, _POLICIES[asked.sprstat_policy])
    return sctp_prstatus(
        sprstat_sid=asked.sprstat_sid,
        sprstat_policy=asked.sprstat_policy,
        sprstat_abandoned_unsent=unsent,
        sprstat_abandoned_sent=sent,
    )


# -- streams that change (RFC 6525 §6.3) --

_MAY: Final = {
    SCTP_ENABLE_RESET_STREAM_REQ: "peer_may_reset_streams",
    SCTP_ENABLE_RESET_ASSOC_REQ: "peer_may_reset_association",
    SCTP_ENABLE_CHANGE_ASSOC_REQ: "peer_may_add_streams",
}


def _read_enabled(target: Target) -> int:
    return sum(flag for flag, name in _MAY.items() if getattr(target.config, name))


def _set_enabled(target: Target, flags: int) -> Commit:
    if flags & ~sum(_MAY):
        raise error(errno.EINVAL, f"assoc_value has unknown flags: {flags & ~sum(_MAY):#x}")
    return target.change(**{name: bool(flags & flag) for flag, name in _MAY.items()})


def _reset_streams(target: Target, asked: sctp_reset_streams) -> Commit:
    """srs_stream_list names streams in both directions where both are meant; () is all of each."""
    flags, named = asked.srs_flags, asked.srs_stream_list
    if not flags or flags & ~(SCTP_STREAM_RESET_INCOMING | SCTP_STREAM_RESET_OUTGOING):
        raise error(errno.EINVAL, f"srs_flags takes SCTP_STREAM_RESET_INCOMING and _OUTGOING, not {flags:#x}")
    if asked.srs_number_streams not in (0, len(named)):
        raise error(errno.EINVAL, f"srs_number_streams is {asked.srs_number_streams}, of {len(named)} streams")
    association = target.association
    outgoing = named or range(association.outbound_streams) if flags & SCTP_STREAM_RESET_OUTGOING else ()
    incoming = named or range(association.inbound_streams) if flags & SCTP_STREAM_RESET_INCOMING else ()
    _check_no_request_is_under_way(target)
    return lambda: _done(stream_requests.begin_reset(association.life, outgoing, incoming))


def _reset_association(target: Target, _: object) -> Commit:
    _check_no_request_is_under_way(target)
    return lambda: _done(stream_requests.begin_reset_all(target.association.life))


def _add_streams(target: Target, asked: sctp_add_streams) -> Commit:
    _check_no_request_is_under_way(target)
    life = target.association.life
    return lambda: _done(stream_requests.begin_add(life, asked.sas_outstrms, asked.sas_instrms))


def _done(_: object) -> None:
    """A notification tells what comes of it."""


def _check_no_request_is_under_way(target: Target) -> None:
    """§6.3: "If a call to setsockopt() is used to issue a re-configuration request while the Re-configuration timer is
    running, setsockopt() will return -1, and error is set to EALREADY"."""
    if target.association.engine.timers.is_running(Timer.RECONFIG):
        raise error(errno.EALREADY, "the peer has not answered the last request")


OPTIONS: Final = (
    value(
        "SCTP_STREAM_SCHEDULER",
        SCTP_STREAM_SCHEDULER,
        Scope.ANY,
        lambda target: _SCHEDULER_NUMBERS.get(target.config.scheduler, SCTP_SS_DEFAULT),
        _set_scheduler,
    ),
    Option(
        name="SCTP_STREAM_SCHEDULER_VALUE",
        number=SCTP_STREAM_SCHEDULER_VALUE,
        structure=sctp_stream_value,
        scope=Scope.ANY,
        read=_read_stream_value,
        write=_set_stream_value,
    ),
    Option(
        name="SCTP_PR_STREAM_STATUS",
        number=SCTP_PR_STREAM_STATUS,
        structure=sctp_prstatus,
        scope=Scope.ONE,
        read=_read_of_stream,
    ),
    Option(
        name="SCTP_PR_ASSOC_STATUS",
        number=SCTP_PR_ASSOC_STATUS,
        structure=sctp_prstatus,
        scope=Scope.ONE,
        read=_read_of_association,
    ),
    value("SCTP_ENABLE_STREAM_RESET", SCTP_ENABLE_STREAM_RESET, Scope.ANY, _read_enabled, _set_enabled),
    Option(
        name="SCTP_RESET_STREAMS",
        number=SCTP_RESET_STREAMS,
        structure=sctp_reset_streams,
        scope=Scope.ONE,
        write=_reset_streams,
    ),
    Option(name="SCTP_RESET_ASSOC", number=SCTP_RESET_ASSOC, scope=Scope.ONE, write=_reset_association),
    Option(
        name="SCTP_ADD_STREAMS",
        number=SCTP_ADD_STREAMS,
        structure=sctp_add_streams,
        scope=Scope.ONE,
        write=_add_streams,
    ),
)
