"""Who can send packets under anybody's address but sees none: a transfer goes on as if nobody had tried (§12.2.4).

The attacker knows both addresses, both SCTP ports and both UDP ports, and guesses the rest. And who has recorded
everything that was said, and says it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
    decode_chunks,
)
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie
from tests.core.laws import check_association, check_stack
from tests.core.pair import Flight, Pair

ESTABLISHED = AssociationState.ESTABLISHED
CLOSED = AssociationState.CLOSED
MESSAGES = [bytes([n]) * (500 + 40 * n) for n in range(60)]
QUIET = Config(heartbeat=False)

Guess = Callable[[random.Random], Chunk]

GUESSES: dict[str, Guess] = {
    "DATA": lambda dice: Data(dice.getrandbits(32), 0, dice.getrandbits(16), 0, b"forged"),
    "INIT ACK": lambda dice: InitAck(dice.getrandbits(32) | 1, 10**5, 1, 1, 1, (StateCookie(dice.randbytes(90)),)),
    "SACK": lambda dice: Sack(dice.getrandbits(32), dice.getrandbits(32), ((2, 0xFFFF),)),
    "HEARTBEAT": lambda dice: Heartbeat(dice.randbytes(40)),
    "HEARTBEAT ACK": lambda dice: HeartbeatAck(dice.randbytes(40)),
    "ABORT": lambda dice: Abort(),
    "ABORT, T": lambda dice: Abort(tag_reflected=True),
    "SHUTDOWN": lambda dice: Shutdown(dice.getrandbits(32)),
    "SHUTDOWN ACK": lambda dice: ShutdownAck(),
    "ERROR": lambda dice: Error(()),
    "COOKIE ECHO": lambda dice: CookieEcho(dice.randbytes(dice.randrange(200))),
    "COOKIE ACK": lambda dice: CookieAck(),
    "SHUTDOWN COMPLETE": lambda dice: ShutdownComplete(),
    "SHUTDOWN COMPLETE, T": lambda dice: ShutdownComplete(True),
    "unknown": lambda dice: UnknownChunk(0xFE, 0, b"?"),
}


class Attack:
    """Host z sends its messages to host a while packets under a's address, and under z's, come from elsewhere."""

    def __init__(self) -> None:
        self.pair = Pair(config_a=QUIET, config_z=QUIET)
        self.ours, self.theirs = self.pair.established()
        self.dice = random.Random(7)
        self.read: list[bytes] = []

    def tags_next_to(self, association: AssociationEngine) -> list[int]:
        """Guesses better than chance: beside the right one, and what is easily taken for it."""
        tcb = association.tcb
        return [tcb.local_tag ^ 1, tcb.local_tag ^ 0x8000_0000, ~tcb.local_tag & 0xFFFF_FFFF, tcb.local_initial_tsn]

    def inject(self, chunk: Chunk, tag: int, *, to_a: bool) -> None:
        victim, forged = (self.pair.a, self.pair.z) if to_a else (self.pair.z, self.pair.a)
        ports = (7777, 5000) if to_a else (5000, 7777)
        packet = encode_packet(*ports, tag, [chunk.encode()])
        victim.engine.receive(packet, forged.addresses[0], forged.udp_port, victim.addresses[0], self.pair.now)

    def transfer(self, interfere: Callable[[], None]) -> tuple[float, int, list[tuple[int, int]]]:
        """How long it took, in how many packets, and what cwnd and ssthresh were meanwhile."""
        pair = self.pair
        begin, packets = pair.now, len(pair.log)
        windows = []
        for message in MESSAGES:
            self.theirs.send(OutgoingMessage(message, stream=0))
        pair.z.engine.touch(self.theirs)
        while len(self.read) < len(MESSAGES):
            interfere()
            assert pair.step()
            while (received := self.ours.receiver.read()) is not None:
                self.read.append(received.data)
            pair.a.engine.touch(self.ours)
            congestion = self.theirs.paths.primary.congestion
            windows.append((congestion.cwnd, congestion.ssthresh))
        return pair.now - begin, len(pair.log) - packets, windows


@cache
def undisturbed() -> tuple[float, int, list[tuple[int, int]]]:
    return Attack().transfer(lambda: None)


@pytest.mark.parametrize("name", GUESSES)
def test_a_storm_of_guesses_disturbs_nothing_of_a_transfer(name: str) -> None:
    """R13, X18, X50: every chunk type under wrong tags, to both sides: the same packets at the same moments."""
    attack = Attack()

    def interfere() -> None:
        for to_a, association in ((True, attack.ours), (False, attack.theirs)):
            for tag in (0, attack.dice.getrandbits(32) | 1, *attack.tags_next_to(association)):
                attack.inject(GUESSES[name](attack.dice), tag, to_a=to_a)

    assert attack.transfer(interfere) == undisturbed()
    assert attack.read == MESSAGES
    for host, association in ((attack.pair.a, attack.ours), (attack.pair.z, attack.theirs)):
        assert association.state is ESTABLISHED
        check_association(association)
        check_stack(host.engine, [association])


def test_a_reflected_tag_counts_with_the_t_bit_alone() -> None:
    """R13: §8.5.1 B: who knows the peer's tag, but not ours, ends nothing without the bit, nor by another chunk."""
    attack = Attack()

    def interfere() -> None:
        for name, guess in GUESSES.items():
            if name != "ABORT, T":
                attack.inject(guess(attack.dice), attack.ours.tcb.peer_tag, to_a=True)

    assert attack.transfer(interfere) == undisturbed()


def test_inits_under_the_peers_address_change_nothing_and_bounce_off_the_peer() -> None:
    """R09, R13: each is answered, to the peer that did not ask: an INIT ACK out of turn is discarded (§5.2.3)."""
    attack = Attack()

    def interfere() -> None:
        for to_a in (True, False):
            attack.inject(Init(attack.dice.getrandbits(32) | 1, 10**5, 1, 1, 7), 0, to_a=to_a)

    attack.transfer(interfere)
    assert attack.read == MESSAGES
    assert (attack.ours.state, attack.theirs.state) == (ESTABLISHED, ESTABLISHED)
    assert attack.theirs.counters.rtxchunks == 0
    answers = [flight for flight in attack.pair.log if flight.chunk_type == InitAck.type]
    assert len(answers) > 10


def test_inits_that_list_a_strangers_address_are_refused() -> None:
    """R13, X58: §5.2.2: no address is added, and none is talked to, on the word of an INIT."""
    attack = Attack()

    def interfere() -> None:
        attack.inject(Init(5, 10**5, 1, 1, 7, (IPv4AddressParameter("203.0.113.9"),)), 0, to_a=True)

    attack.transfer(interfere)
    assert attack.read == MESSAGES
    assert {flight.datagram.destination for flight in attack.pair.log} == {"192.0.2.1", "192.0.2.2"}
    assert [path.address for path in attack.ours.paths] == ["192.0.2.2"]


def test_an_answer_bounced_off_the_peer_ends_nothing() -> None:
    """R13, R14: a packet of no association in a's name makes z send a an ABORT: under a tag that is not a's."""
    attack = Attack()

    def interfere() -> None:
        for chunk in (Heartbeat(b""), ShutdownAck()):
            packet = encode_packet(5001, 7777, attack.dice.getrandbits(32) | 1, [chunk.encode()])
            attack.pair.z.engine.receive(packet, "192.0.2.1", 9899, "192.0.2.2", attack.pair.now)

    attack.transfer(interfere)
    assert attack.read == MESSAGES
    assert (attack.ours.state, attack.theirs.state) == (ESTABLISHED, ESTABLISHED)
    assert attack.pair.z.engine.counters.out_of_the_blue_answers > 10


def test_icmp_messages_about_packets_never_sent_change_nothing() -> None:
    """R26, R13: §10: the quoted packet must bear the peer's tag."""
    attack = Attack()

    def interfere() -> None:
        quoted = encode_packet(7777, 5000, attack.dice.getrandbits(32), [Heartbeat(b"").encode()])
        for kind in IcmpKind:
            attack.pair.z.engine.icmp_received(IcmpMessage(kind, quoted, "192.0.2.1", 576), attack.pair.now)

    assert attack.transfer(interfere) == undisturbed()


# -- a recording, played again --


def play(pair: Pair, recording: list[Flight], dice: random.Random) -> None:
    """Every packet again, to where it went, in any order."""
    for flight in dice.sample(recording, len(recording)):
        pair._arrive(flight)


@pytest.mark.parametrize("seed", range(5))
def test_everything_said_again_while_the_association_lives_is_heard_once(seed: int) -> None:
    """X27, X51: cookie, data and SACKs of before: nothing is delivered twice, and nothing ends."""
    attack = Attack()
    attack.transfer(lambda: None)
    pair, dice = attack.pair, random.Random(seed)
    for _ in range(3):
        play(pair, list(pair.log), dice)
        assert attack.ours.receiver.read() is None
        assert attack.theirs.receiver.read() is None
        pair.run_for(5.0)
    assert (attack.ours.state, attack.theirs.state) == (ESTABLISHED, ESTABLISHED)
    assert all(len(host.engine._lookup.by_tag) == 1 for host in (pair.a, pair.z))
    attack.read.clear()
    attack.transfer(lambda: None)
    assert attack.read == MESSAGES


@pytest.mark.parametrize("seconds_later", [0.0, 30.0, 59.0, 61.0, 3600.0, 10_000.0])
def test_everything_said_again_after_the_end_makes_no_association(seconds_later: float) -> None:
    """X27, X32: its tag rests for as long as its cookie lives (§5.3.1), and then the cookie is stale."""
    attack = Attack()
    attack.transfer(lambda: None)
    pair = attack.pair
    attack.ours.shutdown(pair.now)
    pair.a.engine.touch(attack.ours)
    pair.run_until(lambda: attack.ours.state is CLOSED and attack.theirs.state is CLOSED)
    recording = list(pair.log)
    pair.run_for(seconds_later)
    for seed in range(5):
        play(pair, recording, random.Random(seed))
        pair.run_for(1.0)
    endpoint = pair.z.engine.endpoints[7777]
    assert not endpoint.associations
    assert not endpoint.accepted
    assert pair.a.engine.next_deadline() is None
    assert pair.z.engine.next_deadline() is None
    # INITs were answered without a trace; nothing else but errors was said.
    said = {type(chunk) for flight in pair.log[len(recording) :] for chunk in decode_chunks(flight.data)}
    assert said <= {InitAck, Abort, ShutdownComplete, Error}
