"""The State Cookie as the peer meets it: its authentication, its life, its key (§5.1.3, §5.1.5)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.cookie import KEY_BYTES
from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Error, Sack, ShutdownAck, ShutdownComplete
from aiosctp.wire.chunks import Shutdown as ShutdownChunk
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import CookiePreservative, IPv4AddressParameter, UnknownParameter
from tests.core.transcript import OUR_PORT, PEER_SECOND_HOST, PEER_TSN, STRANGER_HOST, Bench, Peer, hosts_of, opened


def assert_nothing_happened(bench: Bench) -> None:
    bench.expect_nothing()
    assert not bench.endpoint().associations
    assert bench.engine.next_deadline() is None


# -- authentication (§5.1.5, 1 to 3) --


def test_a_cookie_changed_in_any_byte_is_silently_discarded_with_its_data() -> None:
    """R01, X32: "If this comparison fails, the SCTP packet, including ... DATA chunks, MUST be silently discarded"."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    data = peer.data()
    for position in range(len(cookie)):
        forged = bytearray(cookie)
        forged[position] ^= 1 << position % 8
        # Z -> COOKIE ECHO [forged], DATA -> A
        peer.send(CookieEcho(bytes(forged)), data)
        assert_nothing_happened(bench)
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)


def test_a_cookie_cut_short_at_any_byte_is_silently_discarded() -> None:
    """R01, X20: also the empty one, and one that is longer than what was given out."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(IPv4AddressParameter(PEER_SECOND_HOST))
    for length in range(len(cookie)):
        peer.send(CookieEcho(cookie[:length]))
        assert_nothing_happened(bench)
    for surplus in (b"\0", b"\0\0\0\0", cookie):
        peer.send(CookieEcho(cookie + surplus))
        assert_nothing_happened(bench)


def test_a_cookie_of_another_stack_is_silently_discarded() -> None:
    """R01, X32: the key is random, and each stack's own (§5.1.3)."""
    other = Bench(seed=2)
    other.listen()
    elsewhere = Peer(other)
    cookie = elsewhere.get_cookie()
    bench = Bench(seed=3)
    bench.listen()
    peer = Peer(bench)
    peer.our_tag = elsewhere.our_tag
    peer.send(CookieEcho(cookie))
    assert_nothing_happened(bench)


@pytest.mark.parametrize("garbage", [b"", b"\0", bytes(4), bytes(100), bytes(2000), b"\xff" * 200])
def test_a_cookie_echo_before_any_init_is_silently_discarded(garbage: bytes) -> None:
    """X32, X44: nobody asked, no cookie was given: no association, no answer (§5.1.5)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    peer.our_tag = 1
    # Z -> COOKIE ECHO, DATA -> A
    peer.send(CookieEcho(garbage), peer.data())
    assert_nothing_happened(bench)


def test_a_cookie_under_another_verification_tag_is_silently_discarded() -> None:
    """R01, R13: "Compare the port numbers and the Verification Tag ... If these values do not match" (§5.1.5, 3)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    for tag in (peer.our_tag ^ 1, peer.tag, 0):
        peer.send(CookieEcho(cookie), tag=tag)
        assert_nothing_happened(bench)


def test_a_cookie_from_another_port_is_silently_discarded() -> None:
    """R01: the source port in the cookie must be that of the packet (§5.1.5, 3)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    peer.port += 1
    peer.send(CookieEcho(cookie))
    assert_nothing_happened(bench)


def test_a_cookie_for_another_endpoint_is_silently_discarded() -> None:
    """R01: the destination port likewise (§5.1.5, 3)."""
    bench = Bench()
    bench.listen()
    bench.listen(OUR_PORT + 1)
    peer = Peer(bench)
    cookie = peer.get_cookie()
    packet = encode_packet(peer.port, OUR_PORT + 1, peer.our_tag, [CookieEcho(cookie).encode()])
    bench.receive(packet, peer.host, peer.udp_port, peer.local_host)
    assert_nothing_happened(bench)
    assert not bench.endpoint(OUR_PORT + 1).associations


# -- what it holds (§5.1.3, §5.1.5, 5) --


def test_the_association_is_made_of_what_the_init_said() -> None:
    """R01, P02: "create an association ... with the information in the State Cookie" (§5.1.5, 5)."""
    bench = Bench(outbound_streams=8)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(IPv4AddressParameter(PEER_SECOND_HOST))
    initial_tsn = peer.our_tsn
    bench.advance(5.0)
    peer.send(CookieEcho(cookie))
    peer.drain()
    (association,) = endpoint.accepted
    assert hosts_of(association) == {peer.host, PEER_SECOND_HOST}
    peer.send(peer.data())
    assert peer.expect(Sack).cumulative_tsn_ack == PEER_TSN
    bench.say(association, b"hello")
    assert peer.expect(Data).tsn == initial_tsn


def test_the_cookie_holds_when_it_was_made_how_long_it_lives_and_all_that_was_agreed() -> None:
    """§5.1.3: timestamp, life span, "the port numbers and the Verification Tags", and what else makes a TCB."""
    bench = Bench(valid_cookie_life_s=30.0, outbound_streams=4, max_inbound_streams=5)
    bench.listen()
    peer = Peer(bench)
    said = opened(bench, peer.get_cookie(IPv4AddressParameter(PEER_SECOND_HOST), CookiePreservative(2000)))
    assert (said.created_at_s, said.lifespan_s) == (bench.now, 32.0)
    assert (said.local_port, said.peer_port) == (OUR_PORT, peer.port)
    assert (said.local_tag, said.peer_tag) == (peer.our_tag, peer.tag)
    assert (said.local_initial_tsn, said.peer_initial_tsn, said.peer_a_rwnd) == (peer.our_tsn, PEER_TSN, 100_000)
    assert (said.outbound_streams, said.inbound_streams) == (4, 5)
    assert (said.init_source, said.peer_addresses) == (peer.host, (peer.host, PEER_SECOND_HOST))


def test_the_cookie_of_a_first_association_has_no_tie_tags() -> None:
    """§5.2.2: for "a normal association INIT chunk ... the Tie-Tags MUST be set to 0"."""
    bench = Bench()
    bench.listen()
    said = opened(bench, Peer(bench).get_cookie())
    assert (said.local_tie_tag, said.peer_tie_tag) == (0, 0)


def test_the_cookie_does_not_grow_with_what_we_did_not_understand() -> None:
    """P03, X26: "SHOULD make the cookie as small as possible" (§5.1.3): unknown parameters are not in it."""
    bench = Bench()
    bench.listen()
    plain = Peer(bench).get_cookie()
    # neither those to skip in silence nor those to report
    for first_type in (0x8F00, 0xCF00):
        stuffed = Peer(bench).get_cookie(*[UnknownParameter(first_type + n, bytes(40)) for n in range(100)])
        assert len(stuffed) == len(plain)
    assert len(plain) <= 200


def test_the_cookie_holds_no_internals_of_the_process() -> None:
    """X15: "it MUST NOT contain information that is not being envisioned to be shared" (§5.1.3): no key, no pointer."""
    cookies = []
    for _ in range(2):
        bench = Bench(seed=7)
        bench.listen()
        cookies.append(Peer(bench).get_cookie())
        # The key is among what the dice gave.
        assert all(secret not in cookies[-1] for secret in bench.dice if len(secret) > 4)
    # The same packet and the same dice: nothing else of the process went in.
    assert cookies[0] == cookies[1]


def test_a_cookie_opens_one_association_however_often_it_is_echoed() -> None:
    """X27, R06: duplicates are acknowledged again and change nothing (§5.2.4 D)."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    for _ in range(3):
        peer.send(CookieEcho(cookie))
        peer.expect(CookieAck)
    assert len(endpoint.associations) == 1
    assert len(endpoint.accepted) == 1


def test_a_cookie_replayed_after_its_association_ended_opens_nothing() -> None:
    """R27: "A new Verification Tag value MUST be used each time the endpoint tears down and then reestablishes"."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    peer.send(ShutdownChunk(peer.our_tsn - 1 & 0xFFFF_FFFF))
    peer.expect(ShutdownAck)
    peer.send(ShutdownComplete())
    assert not endpoint.associations
    bench.advance(10.0)
    # Z -> COOKIE ECHO [valid for 50 more seconds] -> A
    peer.send(CookieEcho(cookie))
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, CookieAck)]
    assert not endpoint.associations


def test_a_cookie_with_a_stretched_life_is_not_replayed_once_the_tag_has_rested() -> None:
    """R27, P05: the tag rests as long as its cookie lives, not only for the time that tags rest."""
    bench = Bench(vtag_quarantine_s=10.0, valid_cookie_life_s=60.0, max_cookie_life_s=300.0)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(CookiePreservative(200_000))
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    peer.send(Abort())
    assert not endpoint.associations
    bench.advance(250.0)
    peer.send(CookieEcho(cookie))
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, CookieAck)]
    assert not endpoint.associations


def test_an_endpoint_that_no_longer_listens_refuses_the_cookie() -> None:
    """A07: "decides not to establish the new association ... it SHOULD respond with an ABORT", under Z's tag (§5.1)."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    endpoint.stop_listening()
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(cookie))
    # A -> ABORT -> Z
    assert not peer.expect(Abort).tag_reflected
    assert not endpoint.associations


def test_a_cookie_echo_from_elsewhere_does_not_disturb_an_association() -> None:
    """R01, X32: a forged cookie under the right tag leaves the association as it is (§5.2.4, 2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    peer.send(CookieEcho(bytes(120)), source=STRANGER_HOST)
    peer.send(CookieEcho(bytes(120)))
    bench.expect_nothing()
    peer.talk(association)


# -- its life (§5.1.5, 4) --


def test_a_cookie_is_valid_for_its_whole_life() -> None:
    """R01: "If the elapsed time is longer than the lifespan carried in the State Cookie": until then it is not."""
    bench = Bench(valid_cookie_life_s=60.0)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(59.9)
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    assert endpoint.accepted[0].state is AssociationState.ESTABLISHED


def test_a_stale_cookie_is_answered_with_an_error_and_its_measure() -> None:
    """Q03, R01: "MUST transmit an ERROR chunk with a "Stale Cookie" error cause"; data discarded (§5.1.5, 4)."""
    bench = Bench(valid_cookie_life_s=60.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(60.5)
    # Z -> COOKIE ECHO, DATA -> A
    peer.send(CookieEcho(cookie), peer.data())
    # A -> ERROR [Stale Cookie, 0.5 s] -> Z
    (cause,) = peer.expect(Error).causes
    assert isinstance(cause, StaleCookie)
    assert cause.measure_of_staleness_us == pytest.approx(500_000, abs=1000)
    assert_nothing_happened(bench)


def test_a_staleness_beyond_what_the_field_holds_is_told_as_the_most_it_holds() -> None:
    """Q03: the measure is in microseconds, 32 bits of them (§3.3.10.3): 71 minutes."""
    bench = Bench(valid_cookie_life_s=60.0, cookie_key_life_s=86_400.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(60.0 + 4300.0)
    peer.send(CookieEcho(cookie))
    (cause,) = peer.expect(Error).causes
    assert isinstance(cause, StaleCookie)
    assert cause.measure_of_staleness_us == 0xFFFF_FFFF


def test_a_stale_cookie_that_is_forged_is_silently_discarded() -> None:
    """Q03, X32: it is authenticated before its time is looked at (§5.1.5, 2 before 4)."""
    bench = Bench(valid_cookie_life_s=60.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(61.0)
    peer.send(CookieEcho(cookie[:-1] + bytes([cookie[-1] ^ 1])))
    assert_nothing_happened(bench)


def test_a_cookie_preservative_lengthens_the_life_of_the_cookie() -> None:
    """P05: the increment is added to the default life span (§3.3.2.1.3) ..."""
    bench = Bench(valid_cookie_life_s=60.0, max_cookie_life_s=300.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(CookiePreservative(10_000))
    bench.advance(69.9)
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)


def test_a_cookie_preservative_has_a_limit() -> None:
    """P05: ... "MAY choose to ignore the suggested cookie life span increase for its own security reasons"."""
    bench = Bench(valid_cookie_life_s=60.0, max_cookie_life_s=90.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(CookiePreservative(0xFFFF_FFFF))
    bench.advance(90.5)
    peer.send(CookieEcho(cookie))
    peer.expect(Error)


# -- its key (§5.1.3) --


def test_a_cookie_made_with_the_previous_key_is_still_good() -> None:
    """R02: "The secret key SHOULD be changed reasonably frequently": the old one is kept for one period more."""
    bench = Bench(cookie_key_life_s=10.0, valid_cookie_life_s=10.0, max_cookie_life_s=10.0)
    bench.listen()
    # Other INITs make the engine use its first key, and then its second.
    Peer(bench, port=6000).get_cookie()
    bench.advance(9.0)
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(3.0)
    Peer(bench, port=6000).get_cookie()
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)


@pytest.mark.parametrize("busy", [False, True])
def test_a_cookie_whose_key_is_gone_is_silently_discarded(busy: bool) -> None:
    """R02: "secret key ... not available anymore, the packet ... MUST be silently discarded" (§5.1.5, 1)."""
    bench = Bench(cookie_key_life_s=10.0, valid_cookie_life_s=10.0, max_cookie_life_s=10.0)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    for _ in range(4):
        bench.advance(10.0)
        if busy:
            Peer(bench, port=6000).get_cookie()
    peer.send(CookieEcho(cookie))
    assert_nothing_happened(bench)


def test_no_cookie_lives_longer_than_its_key() -> None:
    """R02: the key's life is the stack's, the cookie's may be an endpoint's own: stale before it is unreadable."""
    bench = Bench(cookie_key_life_s=10.0, valid_cookie_life_s=10.0, max_cookie_life_s=10.0)
    bench.endpoint().listen(config=Config(), backlog=1, max_associations=None, admit=None)
    bench.advance(9.0)
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(10.5)
    peer.send(CookieEcho(cookie))
    (cause,) = peer.expect(Error).causes
    assert cause == StaleCookie(500_000)


def test_keys_change() -> None:
    """R02: each period draws a key of its own from the entropy."""
    bench = Bench(cookie_key_life_s=10.0, valid_cookie_life_s=10.0, max_cookie_life_s=10.0)
    bench.listen()
    peer = Peer(bench)
    for _ in range(3):
        peer.get_cookie()
        bench.advance(10.0)
    keys = [secret for secret in bench.dice if len(secret) == KEY_BYTES]
    assert len(set(keys)) == len(keys) == 3
