"""The exception of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiosctp.wire.packet import RawChunk
    from aiosctp.wire.parameters import Parameter


class DecodeError(ValueError):
    """Bytes of the peer that are not what RFC 9260 §3 says.

    Attributes:
        reason: what is wrong, in words for a log.
        chunk: the chunk at fault, raw, when the bytes were at least a whole chunk.
        parameter_type: the type of the parameter at fault, when its header was readable.
        decoded: the parameters before the one at fault.
    """

    def __init__(
        self,
        reason: str,
        *,
        parameter_type: int | None = None,
        decoded: tuple[Parameter, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.chunk: RawChunk | None = None
        self.parameter_type = parameter_type
        self.decoded = decoded

    @property
    def chunk_type(self) -> int | None:
        """The type of the chunk at fault, or None when there is no whole chunk."""
        return None if self.chunk is None else self.chunk.type

    def __str__(self) -> str:
        return self.reason if self.chunk is None else f"chunk type {self.chunk.type}: {self.reason}"


class ChecksumError(DecodeError):
    """The packet is not what was sent: its checksum is wrong (§6.8)."""
