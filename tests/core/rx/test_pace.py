"""How many SACKs a batch gets, by what the peer makes of them."""

from __future__ import annotations

import pytest

from aiosctp.core.rx.pace import MAX_SACKS_AT_ONCE, SackPace

BATCHES = 40


def sacks_for(pace: SackPace, packets: int) -> int:
    """One batch, of which every second packet has a SACK due: how many it gets."""
    early = owed = 0
    for _ in range(packets):
        if owed >= 2 and pace.allows_another:
            pace.sack_was_early()
            early, owed = early + 1, 0
        pace.packets += 1
        owed += 1
    pace.batch_ended(has_gap=False)
    return early + 1


@pytest.mark.parametrize("max_burst", [4, 8, 9, 16, 32])
def test_a_peer_that_lives_by_the_number_of_sacks_is_not_starved(max_burst: int) -> None:
    """§6.1 D: it sends Max.Burst packets for a SACK: in the long run no less than one with the usual Max.Burst of 4
    does, that gets as many SACKs as there are."""
    pace, packets, sent = SackPace(), 80, []
    for _ in range(BATCHES):
        packets = max_burst * sacks_for(pace, packets)
        sent.append(packets)
    later = sent[BATCHES // 2 :]
    assert sum(later) / len(later) >= 4 * (MAX_SACKS_AT_ONCE + 1)


def test_a_peer_that_sends_by_bytes_gets_one_sack_for_a_large_batch() -> None:
    pace = SackPace()
    assert [sacks_for(pace, 90) for _ in range(6)] == [9, 5, 3, 2, 1, 1]


def test_small_batches_get_theirs_again() -> None:
    pace = SackPace()
    for _ in range(6):
        sacks_for(pace, 90)
    assert [sacks_for(pace, 30) for _ in range(5)] == [1, 2, 3, 5, 9]


def test_a_gap_begins_anew() -> None:
    pace = SackPace()
    for _ in range(6):
        sacks_for(pace, 90)
    pace.batch_ended(has_gap=True)
    assert sacks_for(pace, 90) == MAX_SACKS_AT_ONCE + 1
