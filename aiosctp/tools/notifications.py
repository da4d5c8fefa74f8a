"""Notifications in words, and the task that shows them as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiosctp.association import Association
from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    AssociationReset,
    Event,
    NotificationsStopped,
    PartialDelivery,
    PeerAddressChange,
    RemoteError,
    SendFailed,
    ShutdownEvent,
    StreamChange,
    StreamReset,
)
from aiosctp.subscriptions import EventSubscription
from aiosctp.wire.codepoints import CauseCode

# All but SenderDry, which comes with every pause of a conversation.
SHOWN = (
    AssociationChange,
    PeerAddressChange,
    RemoteError,
    SendFailed,
    ShutdownEvent,
    AdaptationIndication,
    PartialDelivery,
    StreamReset,
    AssociationReset,
    StreamChange,
    NotificationsStopped,
)

_watching: set[asyncio.Task[None]] = set()


def watch(association: Association, show: Callable[[str], None]) -> asyncio.Task[None]:
    """A task that calls `show` with each notification from now on, in words, and ends after the association's last."""
    task = asyncio.create_task(_show_each(association.events(*SHOWN), show))
    # A loop holds its tasks weakly; callers need not await this one.
    _watching.add(task)
    task.add_done_callback(_watching.discard)
    return task


async def _show_each(events: EventSubscription, show: Callable[[str], None]) -> None:
    async for event in events:
        show(describe(event))


def describe(event: Event) -> str:
    """One notification on one line, under its name in RFC 6458 §6.1."""
    match event:
        case AssociationChange(change, error, outbound, inbound):
            streams = f": {outbound} streams out, {inbound} in" if outbound else ""
            return f"{change}{streams}{_because(error)}"
        case PeerAddressChange((host, _), change, error):
            return f"{change}: address {host} of the peer{_because(error)}"
        case ShutdownEvent():
            return "SHUTDOWN_EVENT: the peer is shutting down"
        case RemoteError(error, data):
            return f"REMOTE_ERROR: {len(data)} bytes{_because(error)}"
        case SendFailed(data, stream, error=error):
            return f"SEND_FAILED: {len(data)} bytes on stream {stream}{_because(error)}"
        case AdaptationIndication(indication):
            return f"ADAPTATION_INDICATION: {indication:#010x}"
        case PartialDelivery(stream, ssn):
            return f"PARTIAL_DELIVERY: message {ssn} of stream {stream} will not be completed"
        case StreamReset(incoming, outgoing):
            return f"STREAM_RESET: {_listed(incoming)} in, {_listed(outgoing)} out{_unless(event)}"
        case AssociationReset(local_tsn, remote_tsn):
            return f"ASSOCIATION_RESET: next TSNs {local_tsn} here, {remote_tsn} there{_unless(event)}"
        case StreamChange(incoming, outgoing):
            return f"STREAM_CHANGE: {outgoing} streams out, {incoming} in{_unless(event)}"
        case _:
            return str(event)


def _listed(streams: Sequence[int]) -> str:
    return "all" if isinstance(streams, range) else ",".join(map(str, streams)) or "none"


def _unless(event: StreamReset | AssociationReset | StreamChange) -> str:
    return " (denied)" if event.denied else " (failed)" if event.failed else ""


def cause_name(code: int) -> str:
    """The RFC's name of an error cause (§3.3.10), or its number."""
    try:
        return CauseCode(code).name.replace("_", " ").lower()
    except ValueError:
        return f"cause {code}"


def _because(error: int) -> str:
    return f" ({cause_name(error)})" if error else ""
