"""A peer that gives messages up (RFC 3758), by DATA or mixed by I-DATA (RFC 8260): random histories against a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import Message
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, DataFormat, NrSack, Sack, UserData
from aiosctp.wire.serial import tsn_distance
from tests.core.rx.bench import FIRST_TSN, Bench, data, i_data

STREAMS = 4
MAX_AHEAD = 40
SIZES = (1, 100, 700, 1400)


@dataclass
class Said:
    """A message of the peer's: which it may give up at any time, half sent or not sent at all."""

    number: int
    stream: int
    unordered: bool
    pieces: list[bytes]
    sent: list[int] = field(default_factory=list)
    """The places of its chunks among all."""
    is_given_up: bool = False
    is_read: bool = False

    @property
    def is_cut(self) -> bool:
        return len(self.sent) == len(self.pieces)


class Sender:
    """One message of a stream at a time is made into chunks; with DATA one of all."""

    def __init__(self, random: Random, format: DataFormat, first_number: int) -> None:
        self.random = random
        self.format = format
        self.messages: list[Said] = []
        self.chunks: list[tuple[UserData | None, Said]] = []
        """None: a TSN for the rest of a message that is never sent."""
        self.cut: dict[int, Said] = {}
        """By stream, the message that is being made into chunks."""
        self.numbers: dict[tuple[int, bool], int] = {}
        self.first_number = first_number
        self.cumulative = -1
        """By the receiver's last SACK, as a place among the chunks."""

    def send(self) -> None:
        """One more chunk."""
        if self.cut and (not self.format.counts_fragments or self.random.random() < 0.6):
            said = self.random.choice(list(self.cut.values()))
        else:
            free = [stream for stream in range(STREAMS) if stream not in self.cut]
            if not free:
                return
            said = self._begin(self.random.choice(free))
        index, n = len(said.sent), len(self.chunks)
        flags = "U" * said.unordered + "B" * (index == 0) + "E" * (index == len(said.pieces) - 1)
        payload, ppid = said.pieces[index], self.messages.index(said)
        chunk: UserData
        if self.format.counts_fragments:
            chunk = i_data(n, flags, mid=said.number, fsn=index, stream=said.stream, payload=payload, ppid=ppid)
        else:
            chunk = data(n, flags, ssn=said.number, stream=said.stream, payload=payload, ppid=ppid)
        said.sent.append(n)
        self.chunks.append((chunk, said))
        if said.is_cut:
            del self.cut[said.stream]

    def _begin(self, stream: int) -> Said:
        unordered = self.random.random() < 0.3
        kind = stream, unordered
        number = self.numbers.get(kind, 0 if unordered else self.first_number)
        sizes = self.random.choices(SIZES, k=self.random.choice((1, 1, 2, 3, 8)))
        serial = len(self.messages)
        said = Said(number, stream, unordered, [bytes([serial & 0xFF, at]) * size for at, size in enumerate(sizes)])
        if self.format.counts_fragments or not unordered:
            self.numbers[kind] = number + 1 & self.format.number_mask
        self.messages.append(said)
        self.cut[stream] = said
        return said

    def give_up(self) -> None:
        """One of those that are not acknowledged; half cut, it takes one more TSN."""
        open_ones = [said for said in self.messages if not said.is_given_up and said.sent[-1] > self.cumulative]
        open_ones += [said for said in self.cut.values() if not said.is_given_up and said not in open_ones]
        if not open_ones:
            return
        said = self.random.choice(open_ones)
        said.is_given_up = True
        if not said.is_cut:
            said.sent.append(len(self.chunks))
            self.chunks.append((None, said))
            del self.cut[said.stream]

    def forward(self) -> tuple[int, list[tuple[int, bool, int]]] | None:
        """RFC 3758 §3.5 C2, C3: Advanced.Peer.Ack.Point, and what was skipped on the way there."""
        point = self.cumulative
        skipped: dict[tuple[int, bool], int] = {}
        while point + 1 < len(self.chunks) and self.chunks[point + 1][1].is_given_up:
            point += 1
            said = self.chunks[point][1]
            if self.format.counts_fragments or not said.unordered:
                skipped[said.stream, said.unordered] = said.number
        if point == self.cumulative:
            return None
        listed = [(stream, unordered, number) for (stream, unordered), number in skipped.items()]
        self.random.shuffle(listed)
        return point, listed

    def missing(self) -> list[UserData]:
        """What is not acknowledged for good and not given up."""
        outstanding = self.chunks[self.cumulative + 1 :]
        return [chunk for chunk, said in outstanding if chunk is not None and not said.is_given_up]


class Play:
    def __init__(
        self, seed: int, format: DataFormat, *, is_tight: bool, sends_nr_sacks: bool, goes_short_way: bool = True
    ) -> None:
        self.random = random = Random(seed)
        window_bytes = 6000 if is_tight else 1 << 20
        config = Config(
            receive_window_bytes=window_bytes,
            partial_delivery_point_bytes=random.choice((1500, window_bytes)),
        )
        self.bench = Bench(
            inbound_streams=STREAMS,
            config=config,
            goes_short_way=goes_short_way,
            format=format,
            sends_nr_sacks=sends_nr_sacks,
        )
        first_number = format.number_mask - 2
        self.sender = Sender(random, format, first_number)
        for stream in range(STREAMS):
            self.bench.receiver._streams.expect(stream, first_number)
        self.sends_nr_sacks = sends_nr_sacks
        self.non_renegable: set[int] = set()
        self.parts: dict[int, tuple[int, bytes]] = {}
        self.last_read: dict[int, int] = {}
        self.is_calm = random.random() < 0.5
        """Nearly everything comes, and in order."""
        self.log: list[object] = []
        """What came of it: messages and SACKs."""

    def acknowledge(self) -> None:
        sack: Sack | NrSack = self.bench.nr_sack() if self.sends_nr_sacks else self.bench.sack()
        cumulative = tsn_distance(FIRST_TSN, sack.cumulative_tsn_ack + 1 & 0xFFFF_FFFF) - 1
        assert cumulative >= self.sender.cumulative
        self.log.append(sack)
        self.sender.cumulative = cumulative
        if isinstance(sack, NrSack):
            kept = {cumulative + at for start, end in sack.nr_gap_ack_blocks for at in range(start, end + 1)}
            assert {n for n in self.non_renegable if n > cumulative} <= kept, "what was said to stay was dropped"
            self.non_renegable |= kept

    def arrive(self, chunks: list[UserData]) -> None:
        assert self.bench.packet(*chunks) is None

    def forward(self) -> None:
        due = self.sender.forward()
        if due is not None:
            point, skipped = due
            for stream, number in self.bench.forward(point, *skipped):
                ppid, _ = self.parts.pop(stream)
                assert self.sender.messages[ppid].number == number
            assert tsn_distance(FIRST_TSN, self.bench.receiver.cumulative_tsn + 1 & 0xFFFF_FFFF) - 1 >= point

    def read(self, *, partial: bool) -> None:
        while self.bench.receiver.has_message():
            message = self.bench.receiver.read(partial=partial)
            if message is not None:
                self._was_read(message)

    def _was_read(self, message: Message) -> None:
        self.log.append(message)
        ppid, before = self.parts.pop(message.stream, (message.ppid, b""))
        assert ppid == message.ppid, "another message among the parts of one"
        said = self.sender.messages[ppid]
        whole = before + message.data
        assert (message.stream, message.unordered, message.tsn) == (
            said.stream,
            said.unordered,
            FIRST_TSN + said.sent[0] & 0xFFFF_FFFF,
        )
        if not message.end_of_record:
            assert b"".join(said.pieces).startswith(whole)
            self.parts[message.stream] = ppid, whole
            return
        assert whole == b"".join(said.pieces), "half delivered as whole"
        assert not said.is_read
        said.is_read = True
        if not said.unordered:
            assert ppid > self.last_read.get(said.stream, -1), "out of order"
            self.last_read[said.stream] = ppid

    def step(self) -> None:
        random, sender = self.random, self.sender
        what = random.random()
        if what < 0.35 and len(sender.chunks) - sender.cumulative < MAX_AHEAD:
            first = len(sender.chunks)
            for _ in range(random.choice((1, 1, 2, 6))):
                sender.send()
            if random.random() < (0.98 if self.is_calm else 0.7):
                self.arrive([chunk for chunk, _ in sender.chunks[first:] if chunk is not None])
        elif what < (0.36 if self.is_calm else 0.6):
            late = [chunk for chunk, _ in sender.chunks[max(0, sender.cumulative - 1) :] if chunk is not None]
            self.arrive(random.sample(late, min(len(late), random.choice((1, 1, 2, 3)))) if late else [])
        elif what < (0.38 if self.is_calm else 0.68):
            sender.give_up()
        elif what < (0.5 if self.is_calm else 0.78):
            self.forward()
        elif what < 0.8:
            self.acknowledge()
        else:
            self.read(partial=random.random() < 0.7 or bool(self.parts))

    def end(self) -> None:
        """What is missing comes, or is given up: everything that was not given up is read."""
        sender = self.sender
        while sender.cut:
            sender.send()
        for _ in range(2 * len(sender.chunks) + 2):
            self.acknowledge()
            if sender.cumulative == len(sender.chunks) - 1:
                break
            self.forward()
            missing = sender.missing()
            if missing:
                self.arrive(missing[:1])
            self.read(partial=True)
        self.read(partial=True)
        assert sender.cumulative == len(sender.chunks) - 1
        assert [said for said in sender.messages if not said.is_read and not said.is_given_up] == []
        receiver = self.bench.receiver
        receiver.check_invariants()
        assert receiver.held_bytes == 0
        assert receiver._reassembly.is_empty
        assert receiver.abort_partial_delivery() == []


@pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT], ids=["DATA", "I-DATA"])
@pytest.mark.parametrize("is_tight", [False, True], ids=["roomy", "tight"])
@pytest.mark.parametrize("block", range(4))
def test_what_is_not_given_up_is_delivered_once_in_order_and_whole(
    format: DataFormat, is_tight: bool, block: int
) -> None:
    """R20, X04, X07, X42: and of what is given up nothing stays, nor is it half delivered as whole."""
    for seed in range(25 * block, 25 * block + 25):
        short, general = (
            Play(seed, format, is_tight=is_tight, sends_nr_sacks=seed % 2 == 0, goes_short_way=goes_short_way)
            for goes_short_way in (True, False)
        )
        for play in (short, general):
            for _ in range(150):
                play.step()
            play.end()
        assert short.log == general.log, "the short way and the general one give the same"
        assert short.bench.counters == general.bench.counters
