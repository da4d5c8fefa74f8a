"""Which extensions an association speaks: those that both sides have announced (RFC 5061 §4.2.7).

A chunk of one that was not negotiated is a chunk of unknown type, and goes by its two high bits (§3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiosctp.config import Config
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, DataFormat
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.tlv import iter_tlvs

EXTENSIONS: Final = (
    ChunkType.RE_CONFIG,
    ChunkType.FORWARD_TSN,
    ChunkType.I_DATA,
    ChunkType.I_FORWARD_TSN,
    ChunkType.NR_SACK,
)
"""The chunk types of extensions that are spoken here."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides have announced. Associations with the same share one."""

    reconfig: bool = False
    partial_reliability: bool = False
    interleaving: bool = False
    """RFC 8260 §2.2.1: all user messages, of both sides, go in I-DATA."""
    nr_sack: bool = False
    not_spoken: frozenset[int] = frozenset(EXTENSIONS)
    """The chunk types to treat as unknown."""
    names: frozenset[str] = frozenset()
    """As `Association.negotiated` has them."""

    @property
    def data_format(self) -> DataFormat:
        """What user messages go in."""
        return I_DATA_FORMAT if self.interleaving else DATA_FORMAT


NOTHING_NEGOTIATED: Final = Negotiated()


def announced(config: Config) -> tuple[int, ...]:
    """The chunk types of the extensions that this endpoint speaks."""
    return _announced(config.reconfig, config.partial_reliability, config.interleaving, config.nrsack)


@lru_cache(maxsize=16)
def _announced(reconfig: bool, partial_reliability: bool, interleaving: bool, nrsack: bool) -> tuple[int, ...]:
    switches = {
        ChunkType.RE_CONFIG: reconfig,
        ChunkType.FORWARD_TSN: partial_reliability,
        ChunkType.I_DATA: interleaving,
        ChunkType.I_FORWARD_TSN: interleaving and partial_reliability,
        ChunkType.NR_SACK: nrsack,
    }
    return tuple(type for type in EXTENSIONS if switches[type])


@lru_cache(maxsize=256)
def spoken_of(chunk_types: tuple[int, ...]) -> tuple[int, ...]:
    """Those of them that are spoken here."""
    return tuple(type for type in EXTENSIONS if type in chunk_types)


def reports_forward_tsn(unrecognized: bytes) -> bool:
    """Whether a peer that tells which parameters it does not know names Forward-TSN-Supported among them."""
    try:
        return any(type == ParameterType.FORWARD_TSN_SUPPORTED for type, _ in iter_tlvs(unrecognized))
    except DecodeError:
        return False


def without_forward_tsn(chunk_types: tuple[int, ...]) -> tuple[int, ...]:
    """RFC 3758 §3.3.3: of a peer that has told so."""
    return tuple(type for type in chunk_types if type != ChunkType.FORWARD_TSN)


def negotiate(config: Config, peers: tuple[int, ...]) -> Negotiated:
    """peers: the chunk types that the peer announced, of those spoken here."""
    return _negotiate(announced(config), peers)


@lru_cache(maxsize=256)
def _negotiate(ours: tuple[int, ...], peers: tuple[int, ...]) -> Negotiated:
    both = {type for type in ours if type in peers}
    interleaving = ChunkType.I_DATA in both
    # A peer that lists I-DATA need not list I-FORWARD-TSN, where it has announced FORWARD TSN; RFC 8260 §2.3.1 would
    # have it list that alone.
    partial_reliability = ChunkType.FORWARD_TSN in both or {ChunkType.I_DATA, ChunkType.I_FORWARD_TSN} <= both
    known = both & {ChunkType.RE_CONFIG, ChunkType.NR_SACK}
    # Who speaks RFC 8260 answers what it forbids as a violation, not as a chunk that it does not know. §2.3.1: FORWARD
    # TSN among I-DATA is one, "The same applies if I-FORWARD-TSN support has not been negotiated".
    if ChunkType.I_DATA in ours:
        known.add(ChunkType.I_DATA)
    if partial_reliability or interleaving:
        known.add(ChunkType.FORWARD_TSN)
    if ChunkType.I_DATA in ours and (partial_reliability or not interleaving):
        known.add(ChunkType.I_FORWARD_TSN)
    reconfig, nr_sack = ChunkType.RE_CONFIG in both, ChunkType.NR_SACK in both
    names = {"reconfig": reconfig, "pr": partial_reliability, "idata": interleaving, "nrsack": nr_sack}
    return Negotiated(
        reconfig=reconfig,
        partial_reliability=partial_reliability,
        interleaving=interleaving,
        nr_sack=nr_sack,
        not_spoken=frozenset(EXTENSIONS) - known,
        names=frozenset(name for name, is_on in names.items() if is_on),
    )
