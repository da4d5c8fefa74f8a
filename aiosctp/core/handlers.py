"""What handles a chunk, by its type and the state: the dispatch table, filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.core.dispatch import DispatchTable, base_table
from aiosctp.core.extensions import reports_forward_tsn
from aiosctp.core.inbox import DataDrained
from aiosctp.core.states import MAY_TRANSMIT_DATA, AssociationState
from aiosctp.events import RemoteError
from aiosctp.wire.causes import ProtocolViolation, StaleCookie, UnrecognizedParameters
from aiosctp.wire.chunks import (
    Chunk,
    Data,
    Error,
    ForwardTsn,
    Heartbeat,
    HeartbeatAck,
    IData,
    IForwardTsn,
    InitAck,
    NrSack,
    ReConfig,
    Sack,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.codepoints import ChunkType

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


def _violated(association: AssociationEngine, how: bytes) -> None:
    """RFC 8260 §2.2.3: "the receiver of the DATA chunk MUST abort the association by sending an ABORT chunk", and the
    same of an I-DATA that was not negotiated; §2.3.1 of the FORWARD TSN that does not go with the one in use."""
    association.termination.abort((ProtocolViolation(how),))


def _on_data(association: AssociationEngine, chunk: Data, path: Path, now: float) -> None:
    if association.tcb.negotiated.interleaving:
        _violated(association, b"DATA where I-DATA was negotiated")
    else:
        association.input.data_received(chunk, path, now)


def _on_i_data(association: AssociationEngine, chunk: IData, path: Path, now: float) -> None:
    if association.interleaves:
        association.input.data_received(chunk, path, now)
    else:
        _violated(association, b"I-DATA without both sides having announced it")


def _on_forward_tsn(association: AssociationEngine, chunk: ForwardTsn, path: Path, now: float) -> None:
    if association.interleaves:
        _violated(association, b"FORWARD TSN where I-DATA was negotiated")
    else:
        skipped = tuple((stream, False, ssn) for stream, ssn in chunk.skipped)
        association.input.forward_tsn_received(chunk.new_cumulative_tsn, skipped, path, now)


def _on_i_forward_tsn(association: AssociationEngine, chunk: IForwardTsn, path: Path, now: float) -> None:
    if association.interleaves:
        association.input.forward_tsn_received(chunk.new_cumulative_tsn, chunk.skipped, path, now)
    else:
        _violated(association, b"I-FORWARD-TSN without I-DATA having been negotiated")


def _on_sack(association: AssociationEngine, chunk: Sack, path: Path, now: float) -> None:
    association.sack_received(chunk, now)


def _on_nr_sack(association: AssociationEngine, chunk: NrSack, path: Path, now: float) -> None:
    association.nr_sack_received(chunk, now)


def _on_heartbeat(association: AssociationEngine, chunk: Heartbeat, path: Path, now: float) -> None:
    association.heartbeats.answer(chunk, path)


def _on_heartbeat_ack(association: AssociationEngine, chunk: HeartbeatAck, path: Path, now: float) -> None:
    association.heartbeats.ack_received(chunk, now)
    if association.sender.is_at_rest:
        # A shutdown may have waited for the first address to be confirmed.
        association.lifecycle.step(DataDrained(now))


def _on_error(association: AssociationEngine, chunk: Error, path: Path, now: float) -> None:
    # §5.2.6: a "Stale Cookie" is for the handshake, and outside of it "SHOULD be silently discarded".
    if not any(isinstance(cause, StaleCookie) for cause in chunk.causes):
        code = chunk.causes[0].code if chunk.causes else 0
        association.emit(RemoteError(code, chunk.encode()))
    for cause in chunk.causes:
        if isinstance(cause, UnrecognizedParameters) and reports_forward_tsn(cause.parameters):
            association.forward_tsn_reported()
            if association.sender.is_at_rest:
                # A shutdown may have waited for what was abandoned.
                association.lifecycle.step(DataDrained(now))
    association.control_arrived(chunk, path, now)


def _on_early_shutdown_ack(association: AssociationEngine, chunk: ShutdownAck, path: Path, now: float) -> None:
    """§8.5.1 E: during the handshake it is out of the blue, even under our tag (§8.4, 5)."""
    answer = ShutdownComplete(tag_reflected=True).encode()
    association.output.send_alone(path, answer, verification_tag=association.tcb.local_tag)


def _on_reconfig(association: AssociationEngine, chunk: ReConfig, path: Path, now: float) -> None:
    association.reconfiguration.received(chunk, path, now)


def _on_init_ack(association: AssociationEngine, chunk: InitAck, path: Path, now: float) -> None:
    association.input.init_ack_arrived(chunk, path, now)


def _on_control(association: AssociationEngine, chunk: Chunk, path: Path, now: float) -> None:
    association.control_arrived(chunk, path, now)


TABLE: DispatchTable = base_table(
    data=_on_data,
    sack=_on_sack,
    heartbeat=_on_heartbeat,
    heartbeat_ack=_on_heartbeat_ack,
    error=_on_error,
    init_ack=_on_init_ack,
    lifecycle=_on_control,
    early_shutdown_ack=_on_early_shutdown_ack,
)
_DATA_STATES = (AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT)
_SACK_STATES = (AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED)
# Of what was not negotiated none comes here (`Negotiated.not_spoken`), but what RFC 8260 forbids.
TABLE.register(ChunkType.NR_SACK, _SACK_STATES, _on_nr_sack)
TABLE.register(ChunkType.I_DATA, _DATA_STATES, _on_i_data)
TABLE.register(ChunkType.FORWARD_TSN, _DATA_STATES, _on_forward_tsn)
TABLE.register(ChunkType.I_FORWARD_TSN, _DATA_STATES, _on_i_forward_tsn)
# As long as one of the two may still send DATA.
TABLE.register(ChunkType.RE_CONFIG, tuple(MAY_TRANSMIT_DATA | {AssociationState.SHUTDOWN_SENT}), _on_reconfig)
