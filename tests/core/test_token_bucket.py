"""How often something may be done: a bucket of tokens on a clock that the caller reads."""

from __future__ import annotations

import pytest

from aiosctp.core.token_bucket import TokenBucket


def taken(bucket: TokenBucket, now: float, asked: int = 1000) -> int:
    return sum(bucket.take(now) for _ in range(asked))


@pytest.mark.parametrize("now", [0.0, 1e9])
def test_it_begins_full_whatever_the_clock_says(now: float) -> None:
    assert taken(TokenBucket(10), now) == 10


def test_it_fills_with_time_and_no_more_than_a_second_of_it() -> None:
    bucket = TokenBucket(10)
    assert taken(bucket, 5.0) == 10
    assert taken(bucket, 5.09) == 0
    assert taken(bucket, 5.11) == 1
    assert taken(bucket, 5.5) == 4
    assert taken(bucket, 1000.0) == 10


def test_asking_in_vain_takes_nothing() -> None:
    bucket = TokenBucket(1)
    assert taken(bucket, 1.0) == 1
    # Steps of an exact binary fraction: eight of them are a second.
    assert [bucket.take(1.0 + step / 8) for step in range(1, 9)] == [False] * 7 + [True]


def test_a_rate_below_one_a_second_allows_one_now_and_then() -> None:
    bucket = TokenBucket(0.25)
    assert [bucket.take(float(now)) for now in range(9)] == [True, *[False] * 3, True, *[False] * 3, True]


def test_a_rate_of_zero_allows_none() -> None:
    assert taken(TokenBucket(0), 1e9) == 0


def test_a_clock_that_stands_or_runs_backwards_gives_nothing() -> None:
    bucket = TokenBucket(2)
    assert taken(bucket, 10.0) == 2
    assert taken(bucket, 3.0) == 0
    assert taken(bucket, 10.0) == 0
    assert taken(bucket, 10.5) == 1
