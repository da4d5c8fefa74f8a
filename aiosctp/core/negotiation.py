"""INIT and INIT ACK as offers (§3.3.2, §3.3.3, §5.1.1, §5.1.2): what ours say, and what the peer's say and lack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from aiosctp.config import MIN_RECEIVE_WINDOW_BYTES, Config
from aiosctp.core.addresses import (
    IPv6,
    address_parameters,
    canonical_host,
    in_scope_of,
    is_ipv6,
    is_unicast,
    parse_host,
)
from aiosctp.core.extensions import announced, reports_forward_tsn, spoken_of, without_forward_tsn
from aiosctp.wire.causes import (
    Cause,
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    UnresolvableAddress,
)
from aiosctp.wire.chunks import Init, InitAck
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    CookiePreservative,
    ForwardTsnSupported,
    HostNameAddress,
    IPv4AddressParameter,
    IPv6AddressParameter,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)

# More addresses than this are not taken from one INIT: a path each, and a probe each, would be the sender's to command.
MAX_PEER_ADDRESSES = 32
# RFC 1035 §2.3.4: 255 bytes, and here the parameter's header and a null character. What is longer is no name, and sent
# back whole it would make an ABORT that fits no packet.
MAX_HOST_NAME_BYTES = 4 + 255 + 1


@dataclass(slots=True)
class Offer:
    """What an INIT or INIT ACK of the peer says."""

    tag: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    addresses: list[str]
    """Those listed, and the source of the packet first (§5.1.2 C)."""
    cookie: bytes | None = None
    adaptation_layer: int | None = None
    extensions: tuple[int, ...] = ()
    """Of the chunk types it announces, those that are spoken here."""
    cookie_increment_ms: int = 0
    unrecognized: list[bytes] = field(default_factory=list)
    """Parameters to report (§3.2.2), each whole."""


def read_offer(chunk: Init | InitAck, source: str, config: Config) -> Offer | Cause:
    """The peer's offer, or the cause for which it is refused (§3.3.2, §3.3.3, §5.1.2 B).

    config: of who reads it.
    """
    # §3.3.2: OS and MIS MUST NOT be 0; a_rwnd MUST be at least 1500.
    if not chunk.outbound_streams or not chunk.inbound_streams or chunk.a_rwnd < MIN_RECEIVE_WINDOW_BYTES:
        return InvalidMandatoryParameter()
    offer = Offer(
        tag=chunk.initiate_tag,
        a_rwnd=chunk.a_rwnd,
        outbound_streams=chunk.outbound_streams,
        inbound_streams=chunk.inbound_streams,
        initial_tsn=chunk.initial_tsn,
        addresses=[source],
    )
    stopped = False
    for parameter in chunk.parameters:
        if stopped:
            # §3.2.1: even then an INIT ACK's State Cookie is echoed ("in all four cases").
            if isinstance(parameter, StateCookie):
                offer.cookie = parameter.cookie
        elif isinstance(parameter, HostNameAddress):
            # §5.1.2 B: "MUST immediately send an ABORT chunk".
            return UnresolvableAddress(parameter.encode()[:MAX_HOST_NAME_BYTES])
        elif isinstance(parameter, UnknownParameter):
            # §3.2.1: the two high bits say whether to report and whether to go on.
            if parameter.report:
                offer.unrecognized.append(parameter.encode())
            stopped = parameter.stop_processing
        elif isinstance(parameter, ForwardTsnSupported) and not config.partial_reliability:
            # RFC 3758 §3.3.2: then it is one of unknown type, to report and skip.
            offer.unrecognized.append(parameter.encode())
        else:
            _take_parameter(offer, parameter)
    if any(_reports_forward_tsn(parameter) for parameter in chunk.parameters):
        offer.extensions = without_forward_tsn(offer.extensions)
    if isinstance(chunk, InitAck) and offer.cookie is None:
        return MissingMandatoryParameter((ParameterType.STATE_COOKIE,))
    return offer


def _reports_forward_tsn(parameter: Parameter) -> bool:
    """RFC 3758 §3.3.3."""
    return isinstance(parameter, UnrecognizedParameter) and reports_forward_tsn(parameter.parameter)


def _take_parameter(offer: Offer, parameter: Parameter) -> None:
    match parameter:
        case IPv4AddressParameter(host) | IPv6AddressParameter(host):
            usable = _is_usable(host, offer.addresses[0])
            if usable and host not in offer.addresses and len(offer.addresses) < MAX_PEER_ADDRESSES:
                offer.addresses.append(host)
        case StateCookie(cookie):
            offer.cookie = cookie
        case AdaptationLayerIndication(value):
            offer.adaptation_layer = value
        case CookiePreservative(increment_ms):
            offer.cookie_increment_ms = increment_ms
        case SupportedExtensions(chunk_types):
            offer.extensions = spoken_of((*offer.extensions, *chunk_types))
        case ForwardTsnSupported():
            # RFC 3758 §3.1: it stands for the chunk type, which some list as well, and some in its stead.
            offer.extensions = spoken_of((*offer.extensions, ChunkType.FORWARD_TSN))
        case _:
            # The types of §5.1.2's Supported Address Types bind us to nothing: both families "SHOULD also be
            # considered as supported" once used. Extensions not spoken here are not looked at, and padding MUST be
            # discarded silently (RFC 4820 §4).
            pass


def _is_usable(host: str, source: str) -> bool:
    """An address that is no destination is not one of the peer's: a group, an IPv4-mapped one (§3.3.2.1.2: MUST NOT be
    used), a link-local one, which does not say on which link, or a loopback one of another host: it would be ours."""
    address = parse_host(host)
    if isinstance(address, IPv6) and (address.ipv4_mapped is not None or address.is_link_local):
        return False
    if address.is_loopback and not parse_host(source).is_loopback:
        return False
    return is_unicast(host)


def offered_addresses(local_addresses: Sequence[str], destination: str, config: Config) -> list[str]:
    """The addresses an INIT or INIT ACK to this destination lists: none when one is all there is (RFC 6951 §5.7)."""
    if config.advertise_addresses == "none":
        return []
    if config.advertise_addresses == "auto":
        hosts = in_scope_of(local_addresses, destination)
    else:
        hosts = list(dict.fromkeys(canonical_host(host) for host in config.advertise_addresses))
    return hosts if len(hosts) > 1 else []


def common_parameters(addresses: Sequence[str], config: Config) -> list[Parameter]:
    """The parameters that our INIT and our INIT ACK share."""
    parameters: list[Parameter] = list(address_parameters(addresses))
    parameters += _announcement(announced(config))
    if config.adaptation_layer is not None:
        parameters.append(AdaptationLayerIndication(config.adaptation_layer))
    return parameters


@lru_cache(maxsize=16)
def _announcement(chunk_types: tuple[int, ...]) -> tuple[Parameter, ...]:
    """That these extensions are spoken."""
    if not chunk_types:
        return ()
    # RFC 6525 §5.1.1: "MUST include the chunk type of the RE-CONFIG chunk in the Supported Extensions Parameter"; RFC
    # 8260 §2.2.1: "indicates user message interleaving support by listing the I-DATA chunk" there.
    listed = SupportedExtensions(chunk_types)
    # RFC 3758 §3.3.1: peers look for the parameter, or for the chunk type, or for both.
    return (listed, ForwardTsnSupported()) if ChunkType.FORWARD_TSN in chunk_types else (listed,)


def supported_address_types(local_addresses: Iterable[str]) -> SupportedAddressTypes:
    """§3.3.2.1.5: the families in which we have an address of our own."""
    families = {ParameterType.IPV6_ADDRESS if is_ipv6(host) else ParameterType.IPV4_ADDRESS for host in local_addresses}
    return SupportedAddressTypes(tuple(sorted(families)))
