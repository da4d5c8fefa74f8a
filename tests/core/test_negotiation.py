"""What INIT and INIT ACK offer, ours and the peer's."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.extensions import announced
from aiosctp.core.negotiation import (
    MAX_PEER_ADDRESSES,
    Offer,
    common_parameters,
    offered_addresses,
    read_offer,
    supported_address_types,
)
from aiosctp.core.states import AssociationState
from aiosctp.events import AdaptationIndication
from aiosctp.exceptions import AssociationRefused
from aiosctp.wire.causes import InvalidMandatoryParameter, MissingMandatoryParameter, UnresolvableAddress
from aiosctp.wire.chunks import Abort, Chunk, Init, InitAck, decode_chunks
from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    CookiePreservative,
    ForwardTsnSupported,
    HeartbeatInfo,
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
from tests.core.pair import Host, Pair

SOURCE = "192.0.2.1"
COOKIE = StateCookie(b"cookie")


def make_init(*parameters: Parameter, **fields: Any) -> Init:
    values = {"initiate_tag": 0xFFFF_FFFF, "a_rwnd": 1500, "outbound_streams": 3, "inbound_streams": 0xFFFF}
    return Init(**{**values, "initial_tsn": 0xFFFF_FFFE, **fields}, parameters=parameters)


def make_init_ack(*parameters: Parameter) -> InitAck:
    return InitAck(0xFFFF_FFFF, 1500, 3, 0xFFFF, 0xFFFF_FFFE, parameters)


def taken(chunk: Init | InitAck, source: str = SOURCE, **switches: Any) -> Offer:
    offer = read_offer(chunk, source, Config(**switches))
    assert isinstance(offer, Offer)
    return offer


# -- what the peer's say --


def test_an_offer_is_what_the_chunk_says() -> None:
    offer = taken(make_init(CookiePreservative(5000), AdaptationLayerIndication(46)))
    assert (offer.tag, offer.a_rwnd, offer.initial_tsn) == (0xFFFF_FFFF, 1500, 0xFFFF_FFFE)
    assert (offer.outbound_streams, offer.inbound_streams) == (3, 0xFFFF)
    assert (offer.cookie_increment_ms, offer.adaptation_layer, offer.cookie) == (5000, 46, None)
    assert taken(make_init_ack(COOKIE)).cookie == b"cookie"


def test_what_is_not_said_is_not_assumed() -> None:
    offer = taken(make_init())
    assert (offer.cookie_increment_ms, offer.adaptation_layer, offer.unrecognized) == (0, None, [])
    assert offer.addresses == [SOURCE]


@pytest.mark.parametrize(
    "fields",
    [{"outbound_streams": 0}, {"inbound_streams": 0}, {"a_rwnd": 1499}, {"a_rwnd": 0}],
    ids=str,
)
def test_an_impossible_value_refuses_the_offer(fields: dict[str, int]) -> None:
    """Q07: §3.3.2: OS and MIS MUST NOT be 0, a_rwnd MUST be at least 1500: else ABORT."""
    assert read_offer(make_init(**fields), SOURCE, Config()) == InvalidMandatoryParameter()
    init_ack = InitAck(**{**_fields_of(make_init_ack(COOKIE)), **fields})
    assert read_offer(init_ack, SOURCE, Config()) == InvalidMandatoryParameter()


def _fields_of(chunk: InitAck) -> dict[str, Any]:
    return {name: getattr(chunk, name) for name in InitAck.__dataclass_fields__ if name != "type"}


def test_an_init_ack_without_a_cookie_lacks_what_is_mandatory() -> None:
    """Q02: §3.3.10.2, and the parameter that is missed."""
    assert read_offer(make_init_ack(), SOURCE, Config()) == MissingMandatoryParameter((ParameterType.STATE_COOKIE,))


@pytest.mark.parametrize(
    ("high_bits", "goes_on", "reports"),
    [(0x0000, False, False), (0x4000, False, True), (0x8000, True, False), (0xC000, True, True)],
)
def test_the_two_high_bits_say_what_becomes_of_an_unknown_parameter(
    high_bits: int, goes_on: bool, reports: bool
) -> None:
    """P22: §3.2.1, Table 3: stop or skip, silent or reported."""
    unknown = UnknownParameter(high_bits | 0x0123, b"odd")
    offer = taken(make_init(IPv4AddressParameter("192.0.2.7"), unknown, IPv4AddressParameter("192.0.2.8")))
    assert ("192.0.2.8" in offer.addresses) is goes_on
    assert "192.0.2.7" in offer.addresses
    assert offer.unrecognized == ([unknown.encode()] if reports else [])


def test_a_host_name_refuses_the_offer_wherever_it_stands() -> None:
    """P06, Q05: §3.3.2.1.4: "MUST immediately send an ABORT chunk", with the parameter in its cause."""
    name = HostNameAddress(b"host.example\0")
    for chunk in (make_init(IPv4AddressParameter("192.0.2.7"), name), make_init_ack(COOKIE, name)):
        assert read_offer(chunk, SOURCE, Config()) == UnresolvableAddress(name.encode())


def test_what_binds_us_to_nothing_is_passed_over() -> None:
    """§5.1.2: a family that is used counts as supported, whatever the Supported Address Types say. Extensions that are
    not spoken here, and parameters of other chunks, change nothing; none of them is unrecognized."""
    plain = taken(make_init(IPv6AddressParameter("2001:db8::1")))
    others = (
        SupportedAddressTypes((5,)),
        SupportedExtensions((193, 128)),
        HeartbeatInfo(b"info"),
        UnrecognizedParameter(b"\x80\x01\0\x04"),
    )
    assert taken(make_init(*others, IPv6AddressParameter("2001:db8::1"))) == plain


# -- the peer's addresses --


def test_without_a_list_the_source_is_the_only_address() -> None:
    """P02: §5.1.2 A."""
    assert taken(make_init()).addresses == [SOURCE]


def test_the_addresses_are_the_source_and_those_listed() -> None:
    """P02, E14: §5.1.2 C: both families, the source first even if listed later, and none twice."""
    offer = taken(
        make_init(
            IPv6AddressParameter("2001:db8::1"),
            IPv4AddressParameter("192.0.2.7"),
            IPv4AddressParameter(SOURCE),
            IPv6AddressParameter("2001:db8::1"),
        )
    )
    assert offer.addresses == [SOURCE, "2001:db8::1", "192.0.2.7"]


@pytest.mark.parametrize(
    "parameter",
    [
        IPv4AddressParameter("224.0.0.1"),
        IPv4AddressParameter("255.255.255.255"),
        IPv4AddressParameter("0.0.0.0"),
        IPv4AddressParameter("127.0.0.1"),
        IPv6AddressParameter("ff02::1"),
        IPv6AddressParameter("::"),
        IPv6AddressParameter("::1"),
        IPv6AddressParameter("::ffff:192.0.2.7"),
        IPv6AddressParameter("fe80::7"),
    ],
    ids=lambda parameter: parameter.host,
)
def test_an_address_that_is_no_destination_is_not_taken(parameter: Parameter) -> None:
    """A43: groups and wildcards; IPv4-mapped (§3.3.2.1.2: MUST NOT); link-local ones, which name no link; and loopback
    ones of another host: our probes there would go to ourselves."""
    offer = taken(make_init(parameter, IPv4AddressParameter("192.0.2.7")))
    assert offer.addresses == [SOURCE, "192.0.2.7"]
    assert offer.unrecognized == []


def test_a_peer_on_this_host_may_list_loopback_addresses() -> None:
    offer = taken(make_init(IPv4AddressParameter("127.0.0.2"), IPv6AddressParameter("::1")), "127.0.0.1")
    assert offer.addresses == ["127.0.0.1", "127.0.0.2", "::1"]


def test_a_peer_cannot_make_us_probe_without_bound() -> None:
    """More addresses than MAX_PEER_ADDRESSES are not taken, and the offer stands."""
    listed = [IPv4AddressParameter(f"10.0.{n // 256}.{n % 256}") for n in range(1000)]
    offer = taken(make_init(*listed, AdaptationLayerIndication(7)))
    assert offer.addresses == [SOURCE, *(parameter.host for parameter in listed[: MAX_PEER_ADDRESSES - 1])]
    assert offer.adaptation_layer == 7


# -- what ours say --

LOCAL = ["127.0.0.1", "10.0.0.1", "9.9.9.1", "9.9.9.2", "2620:fe::1", "fe80::1%eth0"]


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("9.9.9.9", ["9.9.9.1", "9.9.9.2", "2620:fe::1"]),
        ("2620:fe::9", ["9.9.9.1", "9.9.9.2", "2620:fe::1"]),
        ("10.0.0.9", ["10.0.0.1", "9.9.9.1", "9.9.9.2", "2620:fe::1"]),
        ("fe80::9%eth0", ["10.0.0.1", "9.9.9.1", "9.9.9.2", "2620:fe::1", "fe80::1%eth0"]),
        ("127.0.0.9", []),
    ],
)
def test_auto_tells_all_addresses_in_scope_of_the_peer(destination: str, told: list[str]) -> None:
    """A06, K04, E14: both families; neither loopback nor private addresses to a public peer."""
    assert offered_addresses(LOCAL, destination, Config(advertise_addresses="auto")) == told


def test_one_address_alone_is_never_told() -> None:
    """K03: RFC 6951 §5.7: a NAT would have to translate it; the peer sees the source of the packet."""
    assert offered_addresses(["9.9.9.1"], "9.9.9.9", Config()) == []
    assert offered_addresses(["9.9.9.1", "10.0.0.1"], "9.9.9.9", Config()) == []
    assert offered_addresses(LOCAL, "9.9.9.9", Config(advertise_addresses=("9.9.9.1",))) == []
    twice = Config(advertise_addresses=("9.9.9.1", "::ffff:9.9.9.1"))
    assert offered_addresses(LOCAL, "9.9.9.9", twice) == []


def test_none_tells_no_address() -> None:
    """K03: the mode for paths with NATs."""
    assert offered_addresses(LOCAL, "9.9.9.9", Config(advertise_addresses="none")) == []
    assert offered_addresses(LOCAL, "9.9.9.9", Config(advertise_addresses=())) == []


def test_a_list_is_told_as_it_is_in_one_spelling() -> None:
    """The user knows better: what a NAT in front of us translates is none of our local addresses."""
    config = Config(advertise_addresses=("2620:FE:0::5", "::ffff:9.9.9.5", "10.0.0.1"))
    assert offered_addresses(LOCAL, "9.9.9.9", config) == ["2620:fe::5", "9.9.9.5", "10.0.0.1"]


def test_the_parameters_name_addresses_extensions_and_adaptation_layer() -> None:
    addresses = ["9.9.9.1", "2620:fe::1"]
    listed = [
        IPv4AddressParameter("9.9.9.1"),
        IPv6AddressParameter("2620:fe::1"),
        SupportedExtensions((0x82, 0xC0, 0x40, 0xC2)),
        ForwardTsnSupported(),
    ]
    assert common_parameters(addresses, Config()) == listed
    assert common_parameters(addresses, Config(adaptation_layer=0)) == [*listed, AdaptationLayerIndication(0)]
    assert common_parameters([], Config(reconfig=False, partial_reliability=False, interleaving=False)) == []


@pytest.mark.parametrize(
    ("ours", "types"),
    [
        (["9.9.9.1"], (5,)),
        (["2620:fe::1", "fe80::1%eth0"], (6,)),
        (["2620:fe::1", "9.9.9.1", "9.9.9.2"], (5, 6)),
    ],
)
def test_the_supported_types_are_the_families_we_have(ours: list[str], types: tuple[int, ...]) -> None:
    """P07: §3.3.2.1.5."""
    assert supported_address_types(ours) == SupportedAddressTypes(types)


# -- on the wire --


def sent_by(pair: Pair, host: Host, chunk_type: type[Chunk]) -> list[Any]:
    chunks = (chunk for flight in pair.log if flight.sender is host for chunk in decode_chunks(flight.data))
    return [chunk for chunk in chunks if isinstance(chunk, chunk_type)]


def addresses_in(chunk: Init | InitAck) -> list[str]:
    return [p.host for p in chunk.parameters if isinstance(p, IPv4AddressParameter | IPv6AddressParameter)]


def test_a_mixed_association_knows_the_addresses_of_both_families() -> None:
    """E14, P02, P07: INIT over IPv4 and INIT ACK list both families, and both ends have a path to each."""
    pair = Pair(addresses_a=("9.9.9.1", "2620:fe::1"), addresses_z=("2620:fe::2", "9.9.9.2"))
    pair.listen()
    ours = pair.connect(peers=("9.9.9.2",))
    pair.run_until(lambda: ours.state is AssociationState.ESTABLISHED)
    theirs = next(iter(pair.z.engine.endpoints[7777].associations))
    (init,) = sent_by(pair, pair.a, Init)
    (init_ack,) = sent_by(pair, pair.z, InitAck)
    assert addresses_in(init) == ["9.9.9.1", "2620:fe::1"]
    assert SupportedAddressTypes((5, 6)) in init.parameters
    assert addresses_in(init_ack) == ["2620:fe::2", "9.9.9.2"]
    assert {path.address: path.local_address for path in ours.paths} == {
        "9.9.9.2": "9.9.9.1",
        "2620:fe::2": "2620:fe::1",
    }
    assert {path.address: path.local_address for path in theirs.paths} == {
        "9.9.9.1": "9.9.9.2",
        "2620:fe::1": "2620:fe::2",
    }
    pair.run_until(lambda: all(path.is_confirmed for path in (*ours.paths, *theirs.paths)))


def test_addresses_of_a_family_that_we_lack_are_left_out_without_a_word() -> None:
    """E14: §5.1.2: "The other addresses MAY be ignored. The endpoint SHOULD NOT respond with any error"."""
    pair = Pair(addresses_a=("9.9.9.1",), addresses_z=("9.9.9.2", "2620:fe::2"))
    ours, theirs = pair.established()
    assert addresses_in(sent_by(pair, pair.z, InitAck)[0]) == ["9.9.9.2", "2620:fe::2"]
    assert [path.address for path in ours.paths] == ["9.9.9.2"]
    assert addresses_in(sent_by(pair, pair.a, Init)[0]) == []
    assert [path.address for path in theirs.paths] == ["9.9.9.1"]


def test_each_side_hears_of_the_others_adaptation_layer() -> None:
    """E15, P20, B11: RFC 5061 §4.2.6: a 32-bit value in INIT and INIT ACK."""
    pair = Pair(config_a=Config(adaptation_layer=0xFFFF_FFFF), config_z=Config(adaptation_layer=0))
    ours, theirs = pair.established()
    pair.flush()
    assert AdaptationIndication(0) in pair.events_of(pair.a, ours)
    assert AdaptationIndication(0xFFFF_FFFF) in pair.events_of(pair.z, theirs)


def test_nobody_hears_of_an_adaptation_layer_that_there_is_not() -> None:
    """E15: no parameter, no event."""
    pair = Pair()
    ours, theirs = pair.established()
    pair.flush()
    events = pair.events_of(pair.a, ours) + pair.events_of(pair.z, theirs)
    assert not any(isinstance(event, AdaptationIndication) for event in events)


def test_an_init_that_names_its_host_is_aborted() -> None:
    """P06, Q05: in an INIT: the ABORT carries the peer's tag and "Unresolvable Address"."""
    pair = Pair()
    endpoint = pair.listen()
    name = HostNameAddress(b"host.example\0")
    pair.z.engine.receive(encode_packet(5000, 7777, 0, (make_init(name).encode(),)), SOURCE, 9899, None, pair.now)
    (answer,) = pair.z.engine.poll_datagrams(pair.now)
    assert struct.unpack_from("!L", answer.data, 4) == (0xFFFF_FFFF,)
    assert list(decode_chunks(answer.data)) == [Abort((UnresolvableAddress(name.encode()),))]
    assert not endpoint.associations


def test_an_init_ack_that_names_its_host_ends_the_attempt() -> None:
    """P06, Q05: in an INIT ACK: ABORT, and the user hears that it was refused."""
    pair = Pair()
    ours = pair.connect()
    name = HostNameAddress(b"host.example\0")
    packet = encode_packet(7777, 5000, ours.tcb.local_tag, (make_init_ack(COOKIE, name).encode(),))
    pair.a.engine.receive(packet, "192.0.2.2", 9899, SOURCE, pair.now)
    (answer,) = pair.a.engine.poll_datagrams(pair.now)
    assert list(decode_chunks(answer.data)) == [Abort((UnresolvableAddress(name.encode()),))]
    assert ours.state is AssociationState.CLOSED
    assert isinstance(ours.ending, AssociationRefused)


def test_supported_extensions_are_read_and_none_is_claimed_that_we_do_not_speak() -> None:
    """P17: RFC 5061 §4.2.7: the list is understood, so not reported as unrecognized; §4.2.7: "lists all the chunk types
    that are supported by the sender", in INIT and INIT ACK."""
    extensions = SupportedExtensions((0xC1, 0x80, 0x82, 0x81))
    init = make_init(extensions)
    (read,) = decode_chunks(encode_packet(1, 2, 0, [init.encode()]))
    assert isinstance(read, Init)
    assert read.parameters == (extensions,)
    assert taken(read).unrecognized == []
    assert taken(read).extensions == (0x82,)
    pair = Pair()
    endpoint = pair.listen()
    packet = encode_packet(5000, endpoint.port, 0, [init.encode()])
    # A -> INIT [Supported Extensions] -> Z, Z -> INIT ACK -> A
    pair.z.engine.receive(packet, pair.a.addresses[0], 9899, pair.z.addresses[0], pair.now)
    (answer,) = pair.z.engine.poll_datagrams(pair.now)
    (init_ack,) = decode_chunks(answer.data)
    assert isinstance(init_ack, InitAck)
    # Z -> INIT -> A
    pair.connect()
    for offer in (init_ack, *sent_by(pair, pair.a, Init)):
        assert SupportedExtensions(announced(Config())) in offer.parameters
        assert UnrecognizedParameter not in {type(parameter) for parameter in offer.parameters}
