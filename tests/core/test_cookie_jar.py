"""The State Cookie: nothing but what this jar sealed, lately enough, comes out of it."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from aiosctp.config import Config
from aiosctp.core.cookie import KEY_BYTES, MAC_BYTES, Cookie, CookieError, CookieJar
from aiosctp.core.datagram import Datagram
from aiosctp.core.stack import StackEngine
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import Chunk, CookieAck, CookieEcho, Error, Init, InitAck, decode_chunks
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import CookiePreservative, Parameter, StateCookie

KEY_LIFE_S = 3600.0
KEY = bytes(range(KEY_BYTES))
COOKIE = Cookie(
    created_at_s=1000.25,
    lifespan_s=60.0,
    local_port=7777,
    peer_port=0xFFFF,
    local_tag=0xFFFF_FFFF,
    peer_tag=0x8000_0001,
    local_initial_tsn=0xFFFF_FFFE,
    peer_initial_tsn=0x7FFF_FFFF,
    peer_a_rwnd=1 << 20,
    outbound_streams=10,
    inbound_streams=0xFFFF,
    local_tie_tag=0x0102_0304,
    peer_tie_tag=0xFFFF_FFFD,
    peer_adaptation_layer=46,
    peer_extensions=(0x82,),
    init_source="192.0.2.1",
    peer_addresses=("192.0.2.1", "2001:db8::1", "fe80::1%eth0"),
    offered_addresses=("192.0.2.2", "2001:db8::2"),
)
# A length byte and an IPv4 address.
ONE_HOST_BYTES = 5


def make_jar(seed: int = 1, key_life_s: float = KEY_LIFE_S) -> CookieJar:
    return CookieJar(random.Random(seed).randbytes, key_life_s)


def jar_with_known_key() -> CookieJar:
    return CookieJar(lambda size: KEY[:size], KEY_LIFE_S)


def signed(body: bytes) -> bytes:
    """A body of our making under the jar's own MAC."""
    return body + hmac.digest(KEY, body, hashlib.sha256)[:MAC_BYTES]


def body_of(cookie: Cookie) -> bytes:
    return jar_with_known_key().seal(cookie, now=0.0)[:-MAC_BYTES]


# -- what goes in comes out --


@pytest.mark.parametrize(
    "cookie",
    [
        COOKIE,
        replace(COOKIE, peer_adaptation_layer=None),
        replace(COOKIE, peer_adaptation_layer=0),
        replace(COOKIE, local_tie_tag=0, peer_tie_tag=0),
        replace(COOKIE, init_source="fe80::1%eth0", peer_addresses=("fe80::1%eth0",), offered_addresses=()),
        replace(COOKIE, peer_addresses=(), offered_addresses=()),
        replace(COOKIE, peer_addresses=tuple(f"10.0.0.{n}" for n in range(255)), offered_addresses=("10.1.0.1",)),
    ],
)
def test_a_cookie_opens_to_what_was_sealed(cookie: Cookie) -> None:
    jar = make_jar()
    assert jar.open(jar.seal(cookie, now=10.0), now=10.0) == cookie


def test_more_addresses_than_a_byte_can_count_are_left_out() -> None:
    many = tuple(f"10.0.{n // 256}.{n % 256}" for n in range(300))
    jar = make_jar()
    opened = jar.open(jar.seal(replace(COOKIE, peer_addresses=many, offered_addresses=many), now=0.0), now=0.0)
    assert opened.peer_addresses == opened.offered_addresses == many[:255]


def test_a_cookie_of_one_address_each_is_small() -> None:
    """§5.1.3: "as small as possible to ensure interoperability"; the whole INIT ACK stays far below any MTU."""
    small = replace(COOKIE, peer_addresses=("192.0.2.1",), offered_addresses=())
    assert len(make_jar().seal(small, now=0.0)) < 100


def test_a_cookie_is_only_what_was_agreed() -> None:
    """X15: equal facts in different objects make equal bytes, so no pointer, index or address of ours is in them."""
    twin = Cookie(**{field.name: getattr(COOKIE, field.name) for field in fields(Cookie)})
    sealed = [jar_with_known_key().seal(cookie, now) for cookie in (COOKIE, twin) for now in (0.0, 1.0)]
    assert len(set(sealed)) == 1
    # Every byte before the MAC is one of the facts: change any fact and the bytes change; there is no other input.
    changed = replace(COOKIE, peer_tie_tag=1)
    assert jar_with_known_key().seal(changed, 0.0) != sealed[0]


# -- what was not sealed here --


def test_a_cookie_with_any_byte_changed_is_refused() -> None:
    """R01: the MAC covers every byte, and so does the comparison."""
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    for at, mask in itertools.product(range(len(sealed)), (0x01, 0x80, 0xFF)):
        forged = bytearray(sealed)
        forged[at] ^= mask
        with pytest.raises(CookieError, match="MAC"):
            jar.open(bytes(forged), now=0.0)


def test_a_cookie_cut_at_any_place_is_refused() -> None:
    """X20: a truncated cookie opens nothing, wherever it was cut."""
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    for length in range(len(sealed)):
        with pytest.raises(CookieError):
            jar.open(sealed[:length], now=0.0)
        with pytest.raises(CookieError):
            jar.open(sealed[len(sealed) - length :], now=0.0)


def test_a_cookie_with_bytes_added_is_refused() -> None:
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    for forged in (sealed + b"\0", b"\0" + sealed, sealed + sealed, sealed[:-MAC_BYTES] + b"\0" + sealed[-MAC_BYTES:]):
        with pytest.raises(CookieError, match="MAC"):
            jar.open(forged, now=0.0)


def test_a_cookie_of_another_jar_is_refused() -> None:
    """R01: the key never leaves the stack, and no two stacks have the same."""
    with pytest.raises(CookieError, match="MAC"):
        make_jar(seed=2).open(make_jar(seed=1).seal(COOKIE, now=0.0), now=0.0)


def test_a_jar_that_never_sealed_opens_nothing() -> None:
    for forged in (b"", b"\0" * MAC_BYTES, b"\0" * 200):
        with pytest.raises(CookieError, match="MAC"):
            make_jar().open(forged, now=0.0)


def test_a_forgery_costs_as_much_as_the_real_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """R01: constant work: every key is tried whichever matches, and every byte of the MAC compared."""
    compared: list[bool] = []
    jar = make_jar()
    old = jar.seal(COOKIE, now=0.0)
    new = jar.seal(COOKIE, now=KEY_LIFE_S)
    monkeypatch.setattr("aiosctp.core.cookie.hmac.compare_digest", _counting(compared))
    jar.open(new, now=KEY_LIFE_S)
    jar.open(old, now=KEY_LIFE_S)
    with pytest.raises(CookieError):
        jar.open(old[:-1] + b"\0", now=KEY_LIFE_S)
    assert compared == [True, False, False, True, False, False]


def _counting(compared: list[bool]) -> Callable[[bytes, bytes], bool]:
    original = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append(original(one, other))
        return compared[-1]

    return compare_digest


# -- the key --


def test_the_key_is_random_and_as_long_as_the_hash_is_strong() -> None:
    """R02: "a cryptographic quality random number with a sufficient length" (§14.1): 256 bits of entropy."""
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return KEY[:size]

    sealed = CookieJar(entropy, KEY_LIFE_S).seal(COOKIE, now=0.0)
    assert asked == [hashlib.sha256().digest_size]
    assert signed(sealed[:-MAC_BYTES]) == sealed


def test_a_cookie_outlives_one_change_of_the_key() -> None:
    """R02: the old key is kept for one period."""
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    fresh = jar.seal(COOKIE, now=KEY_LIFE_S)
    assert fresh != sealed
    assert jar.open(sealed, now=KEY_LIFE_S) == COOKIE
    assert jar.open(sealed, now=2 * KEY_LIFE_S - 1) == COOKIE


def test_a_cookie_does_not_outlive_two_changes_of_the_key() -> None:
    """R02: after two periods the key is gone, and what it sealed with it."""
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    second = jar.seal(COOKIE, now=KEY_LIFE_S)
    with pytest.raises(CookieError, match="MAC"):
        jar.open(sealed, now=2 * KEY_LIFE_S)
    assert jar.open(second, now=2 * KEY_LIFE_S) == COOKIE


def test_a_key_that_rested_for_two_lives_is_not_kept() -> None:
    """R02: a jar that nobody used for two periods changes the key when it is used again, and keeps none that old."""
    jar = make_jar()
    sealed = jar.seal(COOKIE, now=0.0)
    with pytest.raises(CookieError, match="MAC"):
        jar.open(sealed, now=2 * KEY_LIFE_S)


def test_the_key_stays_within_its_life() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return random.Random(len(asked)).randbytes(size)

    jar = CookieJar(entropy, KEY_LIFE_S)
    for now in (0.0, 1.0, KEY_LIFE_S - 0.001):
        jar.open(jar.seal(COOKIE, now), now)
    assert asked == [KEY_BYTES]
    jar.seal(COOKIE, KEY_LIFE_S)
    assert asked == [KEY_BYTES, KEY_BYTES]


# -- bodies of another making, under a MAC that is right --


def test_the_hand_made_mac_is_the_jars_own() -> None:
    """Without this, none of the tests below would reach what it tests."""
    assert jar_with_known_key().open(signed(body_of(COOKIE)), now=0.0) == COOKIE


def test_a_body_cut_short_is_refused_though_its_mac_is_right() -> None:
    """X20: every length is checked again: of the fixed part, of each address, of the address lists."""
    body = body_of(COOKIE)
    for length in range(len(body)):
        with pytest.raises(CookieError, match=r"version|cut short|address list"):
            jar_with_known_key().open(signed(body[:length]), now=0.0)


@pytest.mark.parametrize("extra", [b"\0", b"\4", b"\4\x0a\0\0\1", b"\x10" + bytes(16), b"\xff" + bytes(255)])
def test_a_body_with_more_than_it_claims_is_refused_though_its_mac_is_right(extra: bytes) -> None:
    """X20: an address list longer than the cookie says is no better than a shorter one."""
    with pytest.raises(CookieError, match=r"cut short|address list"):
        jar_with_known_key().open(signed(body_of(COOKIE) + extra), now=0.0)


@pytest.mark.parametrize(("peers", "offered"), [(0, 0), (2, 2), (3, 1), (3, 3), (4, 2), (255, 255)])
def test_counts_that_are_not_those_of_the_addresses_are_refused(peers: int, offered: int) -> None:
    """X20: three and two are there, whatever is claimed."""
    body = bytearray(body_of(COOKIE))
    hosts = (COOKIE.init_source, *COOKIE.peer_addresses, *COOKIE.offered_addresses)
    # Before them is the one extension that the peer announced.
    hosts_at = len(body) - 1 - sum(1 + (4 if ":" not in host else 16 + len(host.partition("%")[2])) for host in hosts)
    assert tuple(body[hosts_at - 2 : hosts_at]) == (3, 2)
    body[hosts_at - 2 : hosts_at] = bytes((peers, offered))
    with pytest.raises(CookieError, match="address list"):
        jar_with_known_key().open(signed(bytes(body)), now=0.0)


@pytest.mark.parametrize("length", [n for n in range(16) if n != 4])
def test_an_address_of_an_impossible_length_is_refused(length: int) -> None:
    small = body_of(replace(COOKIE, peer_addresses=(), offered_addresses=()))
    assert small[-ONE_HOST_BYTES] == 4
    forged = small[:-ONE_HOST_BYTES] + bytes([length]) + bytes(length)
    with pytest.raises(CookieError, match="cut short"):
        jar_with_known_key().open(signed(forged), now=0.0)


@pytest.mark.parametrize("version", [0, 1, 255])
def test_a_cookie_of_another_version_is_refused(version: int) -> None:
    with pytest.raises(CookieError, match="version"):
        jar_with_known_key().open(signed(bytes([version]) + body_of(COOKIE)[1:]), now=0.0)


# -- through the stack --

LOCAL, PEER = "192.0.2.2", "192.0.2.1"
PEER_TAG = 0xFFFF_FFFE


class Listener:
    """A stack that listens on 7777, and a peer that speaks to it in packets of its own making."""

    def __init__(self, config: Config | None = None, seed: int = 1) -> None:
        config = config or Config()
        self.engine = StackEngine(config=config, local_addresses=[LOCAL], entropy=random.Random(seed).randbytes)
        self.endpoint = self.engine.open_endpoint(7777, [LOCAL], config)
        self.endpoint.listen(config=config, backlog=8, max_associations=None, admit=None)

    def say(self, chunk: Chunk, tag: int, now: float, source_port: int = 5000) -> list[Datagram]:
        packet = encode_packet(source_port, 7777, tag, (chunk.encode(),))
        self.engine.receive(packet, PEER, 9899, LOCAL, now)
        return self.engine.poll_datagrams(now)

    def init(self, now: float, *parameters: Parameter) -> tuple[int, bytes]:
        """Send INIT; the tag and the cookie of the INIT ACK."""
        (answer,) = self.say(Init(PEER_TAG, 65536, 10, 10, 0xFFFF_FFFF, parameters), 0, now)
        (chunk,) = decode_chunks(answer.data)
        assert isinstance(chunk, InitAck)
        (cookie,) = (parameter.cookie for parameter in chunk.parameters if isinstance(parameter, StateCookie))
        return chunk.initiate_tag, cookie


def first_chunk(datagrams: list[Datagram]) -> object:
    return next(iter(decode_chunks(datagrams[0].data)))


def test_an_init_leaves_nothing_behind() -> None:
    """R01: no state before the COOKIE ECHO, however many INITs come, and no timer."""
    listener = Listener()
    before = _size(listener.engine)
    for _ in range(200):
        listener.init(now=0.0)
    assert _size(listener.engine) == before
    assert listener.engine.next_deadline() is None
    assert not listener.endpoint.associations


def _size(engine: StackEngine) -> dict[str, int]:
    return {name: len(value) for name, value in vars(engine).items() if hasattr(value, "__len__")}


def test_the_echoed_cookie_makes_the_association() -> None:
    """E09: the four-way handshake, as the peer sees it."""
    listener = Listener()
    tag, cookie = listener.init(now=0.0)
    assert isinstance(first_chunk(listener.say(CookieEcho(cookie), tag, now=0.1)), CookieAck)
    assert len(listener.endpoint.associations) == 1


def test_a_forged_cookie_echo_opens_nothing_and_gets_no_answer() -> None:
    """R01, X32: §5.1.5, 2: "the packet ... SHOULD be silently discarded"."""
    listener = Listener()
    tag, cookie = listener.init(now=0.0)
    _, of_another_stack = Listener(seed=2).init(now=0.0)
    forgeries = [bytes(len(cookie)), cookie[:-1], cookie[:-1] + bytes([cookie[-1] ^ 1]), of_another_stack, b""]
    for forged in forgeries:
        assert listener.say(CookieEcho(forged), tag, now=0.1) == []
    assert not listener.endpoint.associations
    assert listener.engine.counters.cookies_invalid == len(forgeries)


@pytest.mark.parametrize(("tag_change", "source_port"), [(1, 5000), (0, 5001)])
def test_a_cookie_under_another_header_than_it_names_is_discarded(tag_change: int, source_port: int) -> None:
    """R01: §5.1.5, 3: ports and Verification Tag of the packet have to be those in the cookie."""
    listener = Listener()
    tag, cookie = listener.init(now=0.0)
    assert listener.say(CookieEcho(cookie), tag ^ tag_change, now=0.1, source_port=source_port) == []
    assert not listener.endpoint.associations


def test_a_stale_cookie_is_answered_with_how_stale_it_is() -> None:
    """R01: §5.1.5, 4: Valid.Cookie.Life, to the microsecond (§3.3.10.3)."""
    listener = Listener(Config(valid_cookie_life_s=60))
    tag, cookie = listener.init(now=1000.0)
    (answer,) = listener.say(CookieEcho(cookie), tag, now=1062.5)
    assert struct.unpack_from("!L", answer.data, 4) == (PEER_TAG,)
    (error,) = decode_chunks(answer.data)
    assert isinstance(error, Error)
    assert error.causes == (StaleCookie(2_500_000),)
    assert not listener.endpoint.associations
    # At its lifespan to the second it is not older than it.
    assert isinstance(first_chunk(listener.say(CookieEcho(cookie), tag, now=1060.0)), CookieAck)


def test_a_preservative_stretches_the_life_of_a_cookie_up_to_a_limit() -> None:
    """P05: §3.3.2.1.3: "the receiver MAY ignore" it, and does beyond max_cookie_life_s."""
    config = Config(valid_cookie_life_s=60, max_cookie_life_s=100)
    for increment_ms, lifespan_s in ((0, 60), (30_000, 90), (40_000, 100), (0xFFFF_FFFF, 100)):
        for age_s, is_valid in ((lifespan_s, True), (lifespan_s + 0.001, False)):
            listener = Listener(config)
            tag, cookie = listener.init(0.0, CookiePreservative(increment_ms))
            answer = first_chunk(listener.say(CookieEcho(cookie), tag, now=age_s))
            assert isinstance(answer, CookieAck if is_valid else Error), (increment_ms, age_s)
