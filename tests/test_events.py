"""Events: plain values named as RFC 6458 §6.1 names them."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import get_args

import pytest

from aiosctp import events
from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    AssociationChangeKind,
    AssociationReset,
    Event,
    NotificationsStopped,
    PartialDelivery,
    PeerAddressChange,
    PeerAddressChangeKind,
    RemoteError,
    SenderDry,
    SendFailed,
    ShutdownEvent,
    StreamChange,
    StreamReset,
)

EXAMPLES: list[Event] = [
    AssociationChange(AssociationChangeKind.COMM_LOST, 12, 10, 20, b"\x06\0\0\x04"),
    PeerAddressChange(("2001:db8::1", 7777), PeerAddressChangeKind.CONFIRMED),
    RemoteError(6, b"\x09\0\0\x08\0\x06\0\x04"),
    SendFailed(b"data", 3, 46, 99, unordered=True, was_sent=False, error=0, is_whole=False),
    ShutdownEvent(),
    AdaptationIndication(0xFFFF_FFFF),
    PartialDelivery(3, 0xFFFF),
    SenderDry(),
    StreamReset((1, 2), range(256), denied=True, failed=False),
    AssociationReset(0xFFFF_FFFF, 0, denied=False, failed=True),
    StreamChange(10, 20, denied=False, failed=False),
    NotificationsStopped(),
]


def test_the_union_holds_every_event_of_the_module() -> None:
    classes = {
        value
        for value in vars(events).values()
        if inspect.isclass(value) and is_dataclass(value) and value.__module__ == events.__name__
    }
    assert set(get_args(Event)) == classes == {type(example) for example in EXAMPLES}


def test_the_kinds_are_written_as_rfc_6458_writes_them() -> None:
    assert [str(kind) for kind in AssociationChangeKind] == [
        "COMM_UP",
        "COMM_LOST",
        "RESTART",
        "SHUTDOWN_COMP",
        "CANT_STR_ASSOC",
    ]
    assert [str(kind) for kind in PeerAddressChangeKind] == ["AVAILABLE", "UNREACHABLE", "MADE_PRIM", "CONFIRMED"]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_is_a_value(event: Event) -> None:
    twin = pickle.loads(pickle.dumps(event))
    assert twin == event
    assert hash(twin) == hash(event)
    assert not hasattr(event, "__dict__")
    for field in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, None)


def test_an_association_change_tells_no_error_and_no_abort_unless_there_was_one() -> None:
    event = AssociationChange(AssociationChangeKind.COMM_UP)
    assert (event.error, event.outbound_streams, event.inbound_streams, event.info) == (0, 0, 0, b"")
