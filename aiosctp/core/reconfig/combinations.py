"""Which parameters of a RE-CONFIG chunk are processed (RFC 6525 §3.1, §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiosctp.wire.causes import UnrecognizedParameters
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.parameters import UnknownParameter
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)

# §3.1: "Only the following combinations are allowed", and in this order.
_ALLOWED: Final = frozenset[tuple[type[ReconfigurationParameter], ...]](
    {
        (OutgoingSsnResetRequest,),
        (IncomingSsnResetRequest,),
        (OutgoingSsnResetRequest, IncomingSsnResetRequest),
        (SsnTsnResetRequest,),
        (AddOutgoingStreamsRequest,),
        (AddIncomingStreamsRequest,),
        (AddOutgoingStreamsRequest, AddIncomingStreamsRequest),
        (ReconfigurationResponse,),
        (ReconfigurationResponse, OutgoingSsnResetRequest),
        (ReconfigurationResponse, ReconfigurationResponse),
    }
)


def is_allowed(parameters: Sequence[ReconfigurationParameter]) -> bool:
    return tuple(map(type, parameters)) in _ALLOWED


def understood(chunk: ReConfig) -> tuple[list[ReconfigurationParameter], list[UnrecognizedParameters]]:
    """The parameters to process, and what to report. §4: "stop processing the parameter and not process any further
    parameters within the chunk if the parameter type is not recognized"; §3.2.1 of RFC 9260 has it that the two high
    bits of the type say so, or otherwise."""
    parameters: list[ReconfigurationParameter] = []
    unrecognized: list[UnrecognizedParameters] = []
    for parameter in chunk.parameters:
        if not isinstance(parameter, UnknownParameter):
            parameters.append(parameter)
            continue
        if parameter.report:
            unrecognized.append(UnrecognizedParameters(parameter.encode()))
        if parameter.stop_processing:
            break
    return parameters, unrecognized
