"""Which notifications tell an association's events (RFC 6458 §6.1), and which of them a program asked for (§6.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Any

from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    AssociationChangeKind,
    AssociationReset,
    Event,
    PartialDelivery,
    PeerAddressChange,
    RemoteError,
    SenderDry,
    SendFailed,
    ShutdownEvent,
    StreamChange,
    StreamReset,
)
from aiosctp.socket import constants
from aiosctp.socket.constants import (
    SCTP_ADAPTATION_INDICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_ASSOC_RESET_DENIED,
    SCTP_ASSOC_RESET_EVENT,
    SCTP_ASSOC_RESET_FAILED,
    SCTP_ASSOC_SUPPORTS_ASCONF,
    SCTP_ASSOC_SUPPORTS_AUTH,
    SCTP_ASSOC_SUPPORTS_INTERLEAVING,
    SCTP_ASSOC_SUPPORTS_MULTIBUF,
    SCTP_ASSOC_SUPPORTS_PR,
    SCTP_ASSOC_SUPPORTS_RE_CONFIG,
    SCTP_AUTHENTICATION_EVENT,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_NOT_FRAG,
    SCTP_DATA_SENT,
    SCTP_DATA_UNSENT,
    SCTP_PARTIAL_DELIVERY_ABORTED,
    SCTP_PARTIAL_DELIVERY_EVENT,
    SCTP_PEER_ADDR_CHANGE,
    SCTP_REMOTE_ERROR,
    SCTP_SEND_FAILED,
    SCTP_SEND_FAILED_EVENT,
    SCTP_SENDER_DRY_EVENT,
    SCTP_SHUTDOWN_EVENT,
    SCTP_STREAM_CHANGE_DENIED,
    SCTP_STREAM_CHANGE_EVENT,
    SCTP_STREAM_CHANGE_FAILED,
    SCTP_STREAM_RESET_DENIED,
    SCTP_STREAM_RESET_EVENT,
    SCTP_STREAM_RESET_FAILED,
    SCTP_STREAM_RESET_INCOMING_SSN,
    SCTP_STREAM_RESET_OUTGOING_SSN,
    SCTP_UNORDERED,
)
from aiosctp.socket.notifications import (
    Notification,
    sctp_adaptation_event,
    sctp_assoc_change,
    sctp_assoc_reset_event,
    sctp_paddr_change,
    sctp_pdapi_event,
    sctp_remote_error,
    sctp_send_failed,
    sctp_send_failed_event,
    sctp_sender_dry_event,
    sctp_shutdown_event,
    sctp_stream_change_event,
    sctp_stream_reset_event,
)
from aiosctp.socket.structures import sctp_event_subscribe, sctp_sndinfo, sctp_sndrcvinfo

if TYPE_CHECKING:
    from aiosctp.socket.socket_association import SocketAssociation

_TYPE_OF_FIELD = {
    "sctp_association_event": SCTP_ASSOC_CHANGE,
    "sctp_address_event": SCTP_PEER_ADDR_CHANGE,
    "sctp_send_failure_event": SCTP_SEND_FAILED,
    "sctp_peer_error_event": SCTP_REMOTE_ERROR,
    "sctp_shutdown_event": SCTP_SHUTDOWN_EVENT,
    "sctp_partial_delivery_event": SCTP_PARTIAL_DELIVERY_EVENT,
    "sctp_adaptation_layer_event": SCTP_ADAPTATION_INDICATION,
    "sctp_authentication_event": SCTP_AUTHENTICATION_EVENT,
    "sctp_sender_dry_event": SCTP_SENDER_DRY_EVENT,
    "sctp_stream_reset_event": SCTP_STREAM_RESET_EVENT,
    "sctp_assoc_reset_event": SCTP_ASSOC_RESET_EVENT,
    "sctp_stream_change_event": SCTP_STREAM_CHANGE_EVENT,
    "sctp_send_failure_event_event": SCTP_SEND_FAILED_EVENT,
}
"""§6.2.1: what each field of `sctp_event_subscribe` switches. Its first, sctp_data_io_event, is about messages."""

SUBSCRIBABLE = frozenset(_TYPE_OF_FIELD.values())
"""What SCTP_EVENT switches. SCTP_NOTIFICATIONS_STOPPED_EVENT comes to whoever subscribed to any."""

_SUPPORTED = {
    "pr": SCTP_ASSOC_SUPPORTS_PR,
    "auth": SCTP_ASSOC_SUPPORTS_AUTH,
    "asconf": SCTP_ASSOC_SUPPORTS_ASCONF,
    "reconfig": SCTP_ASSOC_SUPPORTS_RE_CONFIG,
    "idata": SCTP_ASSOC_SUPPORTS_INTERLEAVING,
}


def subscribed_by(subscribe: sctp_event_subscribe) -> set[int]:
    """The types of notifications that it switches on."""
    return {number for name, number in _TYPE_OF_FIELD.items() if getattr(subscribe, name)}


def as_subscribe(subscribed: Set[int], *, data_io: bool) -> sctp_event_subscribe:
    """The way back. data_io: whether what is known of each message comes with it."""
    on = {name: int(number in subscribed) for name, number in _TYPE_OF_FIELD.items()}
    return sctp_event_subscribe(sctp_data_io_event=int(data_io), **on)


def translate(event: Event, to: SocketAssociation) -> list[Notification]:
    """What its program is told of this, in that order: of all that it could be, what it subscribed to."""
    subscribed = to.settings.events
    if not subscribed:
        return []
    tell = _TELLS.get(type(event))
    told = [] if tell is None else tell(event, to)
    return [notification for notification in told if notification.sn_header.sn_type in subscribed]


def _association_change(event: AssociationChange, to: SocketAssociation) -> list[Notification]:
    is_up = event.change in (AssociationChangeKind.COMM_UP, AssociationChangeKind.RESTART)
    told = sctp_assoc_change(
        sac_state=getattr(constants, f"SCTP_{event.change}"),
        sac_error=int(event.error),
        sac_outbound_streams=event.outbound_streams,
        sac_inbound_streams=event.inbound_streams,
        sac_assoc_id=to.association_id,
        sac_info=_features(to) if is_up else event.info,
    )
    told.sac_length += len(told.sac_info)
    return [told]


def _features(to: SocketAssociation) -> bytes:
    """§6.1.1. Each association has buffers of its own, whichever the style."""
    supported = {_SUPPORTED[name] for name in to.association.negotiated if name in _SUPPORTED}
    return bytes(sorted(supported | {SCTP_ASSOC_SUPPORTS_MULTIBUF}))


def _peer_address_change(event: PeerAddressChange, to: SocketAssociation) -> list[Notification]:
    host, port = event.address
    return [
        sctp_paddr_change(
            spc_aaddr=(to.socket.shown(host), port),
            spc_state=getattr(constants, f"SCTP_ADDR_{event.change}"),
            spc_error=int(event.error),
            spc_assoc_id=to.association_id,
        )
    ]


def _remote_error(event: RemoteError, to: SocketAssociation) -> list[Notification]:
    told = sctp_remote_error(sre_error=int(event.error), sre_assoc_id=to.association_id, sre_data=event.data)
    told.sre_length += len(event.data)
    return [told]


def _send_failed(event: SendFailed, to: SocketAssociation) -> list[Notification]:
    """In both formats: who subscribed to both has both."""
    number, size, error = to.association_id, len(event.data), int(event.error)
    how = SCTP_DATA_SENT if event.was_sent else SCTP_DATA_UNSENT
    flags = (SCTP_UNORDERED if event.unordered else 0) | (SCTP_DATA_NOT_FRAG if event.is_whole else SCTP_DATA_LAST_FRAG)
    old_info = sctp_sndrcvinfo(
        sinfo_stream=event.stream,
        sinfo_flags=flags,
        sinfo_ppid=event.ppid,
        sinfo_context=event.context,
        sinfo_assoc_id=number,
    )
    old = sctp_send_failed(ssf_flags=how, ssf_error=error, ssf_info=old_info, ssf_assoc_id=number, ssf_data=event.data)
    new = sctp_send_failed_event(
        ssfe_flags=how,
        ssfe_error=error,
        ssfe_info=sctp_sndinfo(event.stream, flags, event.ppid, event.context, number),
        ssfe_assoc_id=number,
        ssfe_data=event.data,
    )
    old.ssf_length += size
    new.ssfe_length += size
    return [old, new]


def _shutdown(event: ShutdownEvent, to: SocketAssociation) -> list[Notification]:
    return [sctp_shutdown_event(sse_assoc_id=to.association_id)]


def _adaptation(event: AdaptationIndication, to: SocketAssociation) -> list[Notification]:
    return [sctp_adaptation_event(sai_adaptation_ind=event.indication, sai_assoc_id=to.association_id)]


def _partial_delivery(event: PartialDelivery, to: SocketAssociation) -> list[Notification]:
    return [
        sctp_pdapi_event(
            pdapi_indication=SCTP_PARTIAL_DELIVERY_ABORTED,
            pdapi_stream=event.stream,
            pdapi_seq=event.ssn,
            pdapi_assoc_id=to.association_id,
        )
    ]


def _sender_dry(event: SenderDry, to: SocketAssociation) -> list[Notification]:
    return [sctp_sender_dry_event(sender_dry_assoc_id=to.association_id)]


def _stream_reset(event: StreamReset, to: SocketAssociation) -> list[Notification]:
    """RFC 6525 §6.1.1: one for each direction. "An empty list identifies all streams"."""
    outcome = (SCTP_STREAM_RESET_DENIED if event.denied else 0) | (SCTP_STREAM_RESET_FAILED if event.failed else 0)
    told: list[Notification] = []
    for direction, streams in (
        (SCTP_STREAM_RESET_INCOMING_SSN, event.incoming),
        (SCTP_STREAM_RESET_OUTGOING_SSN, event.outgoing),
    ):
        if streams:
            listed: Sequence[int] = () if isinstance(streams, range) else tuple(streams)
            told.append(
                sctp_stream_reset_event(
                    strreset_flags=direction | outcome,
                    strreset_length=12 + 2 * len(listed),
                    strreset_assoc_id=to.association_id,
                    strreset_stream_list=listed,
                )
            )
    return told


def _association_reset(event: AssociationReset, to: SocketAssociation) -> list[Notification]:
    return [
        sctp_assoc_reset_event(
            assocreset_flags=(SCTP_ASSOC_RESET_DENIED if event.denied else 0)
            | (SCTP_ASSOC_RESET_FAILED if event.failed else 0),
            assocreset_assoc_id=to.association_id,
            assocreset_local_tsn=event.local_tsn,
            assocreset_remote_tsn=event.remote_tsn,
        )
    ]


def _stream_change(event: StreamChange, to: SocketAssociation) -> list[Notification]:
    return [
        sctp_stream_change_event(
            strchange_flags=(SCTP_STREAM_CHANGE_DENIED if event.denied else 0)
            | (SCTP_STREAM_CHANGE_FAILED if event.failed else 0),
            strchange_assoc_id=to.association_id,
            strchange_instrms=event.incoming,
            strchange_outstrms=event.outgoing,
        )
    ]


_TELLS: dict[type, Callable[[Any, SocketAssociation], list[Notification]]] = {
    AssociationChange: _association_change,
    PeerAddressChange: _peer_address_change,
    RemoteError: _remote_error,
    SendFailed: _send_failed,
    ShutdownEvent: _shutdown,
    AdaptationIndication: _adaptation,
    PartialDelivery: _partial_delivery,
    SenderDry: _sender_dry,
    StreamReset: _stream_reset,
    AssociationReset: _association_reset,
    StreamChange: _stream_change,
}
