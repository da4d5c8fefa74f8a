"""Which notifications are wanted (RFC 6458 §6.2, §8.1.14, §8.1.28)."""

from __future__ import annotations

import errno
from typing import Final

from aiosctp.socket.constants import (
    SCTP_EVENT,
    SCTP_EVENTS,
    SCTP_NOTIFICATIONS_STOPPED_EVENT,
    SCTP_SENDER_DRY_EVENT,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope
from aiosctp.socket.options.target import Commit, Target, nothing
from aiosctp.socket.structures import sctp_event, sctp_event_subscribe
from aiosctp.socket.translation import SUBSCRIBABLE, as_subscribe, subscribed_by


def _read_event(target: Target, asked: sctp_event) -> sctp_event:
    _check_type(asked.se_type)
    events = target.settings.events
    is_on = bool(events) if asked.se_type == SCTP_NOTIFICATIONS_STOPPED_EVENT else asked.se_type in events
    return sctp_event(se_type=asked.se_type, se_on=int(is_on))


def _set_event(target: Target, event: sctp_event) -> Commit:
    _check_type(event.se_type)
    if event.se_type == SCTP_NOTIFICATIONS_STOPPED_EVENT:
        # §6.1.10: an endpoint is "automatically subscribed" to it with any other.
        if not event.se_on:
            raise error(errno.EINVAL, "SCTP_NOTIFICATIONS_STOPPED_EVENT comes to whoever subscribed to any other")
        return nothing
    others = target.settings.events - {event.se_type}
    return _subscribe(target, others | {event.se_type} if event.se_on else others)


def _check_type(number: int) -> None:
    if number not in SUBSCRIBABLE and number != SCTP_NOTIFICATIONS_STOPPED_EVENT:
        raise error(errno.EINVAL, f"se_type is no notification that can be subscribed to: {number}")


def _subscribe(target: Target, events: set[int]) -> Commit:
    def commit() -> None:
        settings = target.settings
        is_new = SCTP_SENDER_DRY_EVENT in events - settings.events
        settings.events = events
        if is_new and target.member is not None:
            target.member.subscribed_to_dry()

    return commit


def _set_events(target: Target, subscribe: sctp_event_subscribe) -> Commit:
    set_types = _subscribe(target, subscribed_by(subscribe))

    def commit() -> None:
        target.socket.data_io_event = bool(subscribe.sctp_data_io_event)
        set_types()

    return commit


OPTIONS: Final = (
    Option(
        name="SCTP_EVENT",
        number=SCTP_EVENT,
        structure=sctp_event,
        scope=Scope.ANY,
        read=_read_event,
        write=_set_event,
    ),
    Option(
        name="SCTP_EVENTS",
        number=SCTP_EVENTS,
        structure=sctp_event_subscribe,
        scope=Scope.EVERYONE,
        read=lambda target, _: as_subscribe(target.settings.events, data_io=target.socket.data_io_event),
        write=_set_events,
    ),
)
