"""Which notification tells which event, field by field; what the programs see of them is in test_notifications.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from aiosctp import events
from aiosctp import socket as sctp
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
from aiosctp.socket.notifications import Notification
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.translation import SUBSCRIBABLE, as_subscribe, subscribed_by, translate
from aiosctp.wire.codepoints import CauseCode

ID = 5
PAIRS: list[tuple[Event, list[Notification]]] = [
    (
        AssociationChange(AssociationChangeKind.COMM_UP, outbound_streams=10, inbound_streams=20),
        [
            sctp.sctp_assoc_change(
                sac_length=23,
                sac_state=sctp.SCTP_COMM_UP,
                sac_outbound_streams=10,
                sac_inbound_streams=20,
                sac_assoc_id=ID,
                sac_info=bytes(
                    [sctp.SCTP_ASSOC_SUPPORTS_PR, sctp.SCTP_ASSOC_SUPPORTS_MULTIBUF, sctp.SCTP_ASSOC_SUPPORTS_RE_CONFIG]
                ),
            )
        ],
    ),
    (
        AssociationChange(AssociationChangeKind.COMM_LOST, 12, info=b"\x06\0\0\x04"),
        [
            sctp.sctp_assoc_change(
                sac_length=24,
                sac_state=sctp.SCTP_COMM_LOST,
                sac_error=12,
                sac_assoc_id=ID,
                sac_info=b"\x06\0\0\x04",
            )
        ],
    ),
    (
        AssociationChange(AssociationChangeKind.SHUTDOWN_COMP),
        [sctp.sctp_assoc_change(sac_state=sctp.SCTP_SHUTDOWN_COMP, sac_assoc_id=ID)],
    ),
    (
        AssociationChange(AssociationChangeKind.CANT_STR_ASSOC),
        [sctp.sctp_assoc_change(sac_state=sctp.SCTP_CANT_STR_ASSOC, sac_assoc_id=ID)],
    ),
    (
        PeerAddressChange(("192.0.2.1", 7777), PeerAddressChangeKind.UNREACHABLE, 3),
        [
            sctp.sctp_paddr_change(
                spc_aaddr=("::ffff:192.0.2.1", 7777),
                spc_state=sctp.SCTP_ADDR_UNREACHABLE,
                spc_error=3,
                spc_assoc_id=ID,
            )
        ],
    ),
    (
        RemoteError(6, b"\x09\0\0\x08\0\x06\0\x04"),
        [sctp.sctp_remote_error(sre_length=24, sre_error=6, sre_assoc_id=ID, sre_data=b"\x09\0\0\x08\0\x06\0\x04")],
    ),
    (
        SendFailed(b"data", 3, 46, 99, unordered=True, was_sent=False, error=12),
        [
            sctp.sctp_send_failed(
                ssf_flags=sctp.SCTP_DATA_UNSENT,
                ssf_length=52,
                ssf_error=12,
                ssf_info=sctp.sctp_sndrcvinfo(
                    sinfo_stream=3,
                    sinfo_flags=sctp.SCTP_UNORDERED | sctp.SCTP_DATA_NOT_FRAG,
                    sinfo_ppid=46,
                    sinfo_context=99,
                    sinfo_assoc_id=ID,
                ),
                ssf_assoc_id=ID,
                ssf_data=b"data",
            ),
            sctp.sctp_send_failed_event(
                ssfe_flags=sctp.SCTP_DATA_UNSENT,
                ssfe_length=36,
                ssfe_error=12,
                ssfe_info=sctp.sctp_sndinfo(
                    snd_sid=3,
                    snd_flags=sctp.SCTP_UNORDERED | sctp.SCTP_DATA_NOT_FRAG,
                    snd_ppid=46,
                    snd_context=99,
                    snd_assoc_id=ID,
                ),
                ssfe_assoc_id=ID,
                ssfe_data=b"data",
            ),
        ],
    ),
    (ShutdownEvent(), [sctp.sctp_shutdown_event(sse_assoc_id=ID)]),
    (AdaptationIndication(0xFFFF_FFFF), [sctp.sctp_adaptation_event(sai_adaptation_ind=0xFFFF_FFFF, sai_assoc_id=ID)]),
    (
        PartialDelivery(3, 0xFFFF),
        [
            sctp.sctp_pdapi_event(
                pdapi_indication=sctp.SCTP_PARTIAL_DELIVERY_ABORTED,
                pdapi_stream=3,
                pdapi_seq=0xFFFF,
                pdapi_assoc_id=ID,
            )
        ],
    ),
    (SenderDry(), [sctp.sctp_sender_dry_event(sender_dry_assoc_id=ID)]),
    (
        StreamReset((1, 2), range(256), denied=True),
        [
            sctp.sctp_stream_reset_event(
                strreset_flags=sctp.SCTP_STREAM_RESET_INCOMING_SSN | sctp.SCTP_STREAM_RESET_DENIED,
                strreset_length=16,
                strreset_assoc_id=ID,
                strreset_stream_list=(1, 2),
            ),
            sctp.sctp_stream_reset_event(
                strreset_flags=sctp.SCTP_STREAM_RESET_OUTGOING_SSN | sctp.SCTP_STREAM_RESET_DENIED,
                strreset_assoc_id=ID,
            ),
        ],
    ),
    (
        StreamReset((), (7,), failed=True),
        [
            sctp.sctp_stream_reset_event(
                strreset_flags=sctp.SCTP_STREAM_RESET_OUTGOING_SSN | sctp.SCTP_STREAM_RESET_FAILED,
                strreset_length=14,
                strreset_assoc_id=ID,
                strreset_stream_list=(7,),
            )
        ],
    ),
    (
        AssociationReset(0xFFFF_FFFF, 4, failed=True),
        [
            sctp.sctp_assoc_reset_event(
                assocreset_flags=sctp.SCTP_ASSOC_RESET_FAILED,
                assocreset_assoc_id=ID,
                assocreset_local_tsn=0xFFFF_FFFF,
                assocreset_remote_tsn=4,
            )
        ],
    ),
    (
        StreamChange(10, 20, denied=True),
        [
            sctp.sctp_stream_change_event(
                strchange_flags=sctp.SCTP_STREAM_CHANGE_DENIED,
                strchange_assoc_id=ID,
                strchange_instrms=10,
                strchange_outstrms=20,
            )
        ],
    ),
]


def told(event: Event, *subscribed: int) -> list[Any]:
    to = SimpleNamespace(
        association_id=ID,
        settings=SimpleNamespace(events=set(subscribed)),
        socket=SimpleNamespace(shown=lambda host: f"::ffff:{host}"),
        association=SimpleNamespace(negotiated=frozenset({"reconfig", "pr", "nrsack"})),
    )
    return list(translate(event, cast(SocketAssociation, to)))


@pytest.mark.parametrize(("event", "expected"), PAIRS, ids=lambda one: type(one).__name__)
def test_an_event_is_told_with_every_field(event: Event, expected: list[Notification]) -> None:
    assert told(event, *SUBSCRIBABLE) == expected


def test_every_event_has_its_notification() -> None:
    """But one: a socket's queue has an end of its own."""
    assert {type(event) for event, _ in PAIRS} == {*get_args(events.Event)} - {NotificationsStopped}


@pytest.mark.parametrize("kind", AssociationChangeKind)
def test_every_change_of_an_association_has_its_state(kind: AssociationChangeKind) -> None:
    (change,) = told(AssociationChange(kind), sctp.SCTP_ASSOC_CHANGE)
    assert change.sac_state == getattr(sctp, f"SCTP_{kind}")


@pytest.mark.parametrize("kind", PeerAddressChangeKind)
def test_every_change_of_an_address_has_its_state(kind: PeerAddressChangeKind) -> None:
    (change,) = told(PeerAddressChange(("192.0.2.1", 7777), kind), sctp.SCTP_PEER_ADDR_CHANGE)
    assert change.spc_state == getattr(sctp, f"SCTP_ADDR_{kind}")


def test_a_cause_is_a_plain_int() -> None:
    """Ours of the plain API have names; in a structure of C's a number is a number, whoever has ended it."""
    cause = CauseCode.USER_INITIATED_ABORT
    lost, old, new = (
        *told(AssociationChange(AssociationChangeKind.COMM_LOST, cause), sctp.SCTP_ASSOC_CHANGE),
        *told(
            SendFailed(b"data", 0, 0, 0, unordered=False, was_sent=True, error=cause),
            sctp.SCTP_SEND_FAILED,
            sctp.SCTP_SEND_FAILED_EVENT,
        ),
    )
    assert [type(error) for error in (lost.sac_error, old.ssf_error, new.ssfe_error)] == [int] * 3


@pytest.mark.parametrize(("event", "expected"), PAIRS, ids=lambda one: type(one).__name__)
def test_what_was_not_subscribed_to_is_not_told(event: Event, expected: list[Notification]) -> None:
    """§6.2: nor is anything at first."""
    types = {one.sn_header.sn_type for one in expected}
    assert told(event) == []
    assert told(event, *SUBSCRIBABLE - types) == []
    for number in types:
        assert told(event, number) == [one for one in expected if one.sn_header.sn_type == number]


def test_a_restart_tells_the_features_of_the_new_association() -> None:
    (change,) = told(AssociationChange(AssociationChangeKind.RESTART), sctp.SCTP_ASSOC_CHANGE)
    assert sctp.SCTP_ASSOC_SUPPORTS_RE_CONFIG in change.sac_info


def test_a_part_of_a_message_that_failed_is_told_from_a_whole_one() -> None:
    """§6.1.11."""
    part = SendFailed(b"tail", 0, 0, 0, unordered=False, was_sent=True, error=0, is_whole=False)
    (failed,) = told(part, sctp.SCTP_SEND_FAILED_EVENT)
    assert failed.ssfe_flags == sctp.SCTP_DATA_SENT
    assert failed.ssfe_info.snd_flags == sctp.SCTP_DATA_LAST_FRAG


def test_each_field_of_the_old_subscription_switches_one_type() -> None:
    """§6.2.1, and back."""
    assert subscribed_by(sctp.sctp_event_subscribe()) == set()
    assert subscribed_by(sctp.sctp_event_subscribe(sctp_data_io_event=1)) == set()
    switched = sctp.sctp_event_subscribe(sctp_association_event=1, sctp_send_failure_event=1, sctp_sender_dry_event=1)
    types = {sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED, sctp.SCTP_SENDER_DRY_EVENT}
    assert subscribed_by(switched) == types
    assert as_subscribe(types, data_io=False) == switched
    everything = as_subscribe(SUBSCRIBABLE, data_io=True)
    assert all(getattr(everything, name) == 1 for name in sctp.sctp_event_subscribe.__slots__)
    assert subscribed_by(everything) == SUBSCRIBABLE
