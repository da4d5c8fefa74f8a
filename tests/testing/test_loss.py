"""Loss models, over so many packets that their seeds decide, and their arguments."""

from __future__ import annotations

from itertools import groupby
from random import Random
from typing import Any

import pytest

from aiosctp.testing import NO_LOSS, BurstLoss, Loss, LossWhere, Packet, RandomLoss

PACKET = Packet("192.0.2.1", 1, "192.0.2.2", 2, b"x")


def lost(model: Loss, packets: int, seed: int = 1) -> list[bool]:
    is_lost = model.begin(Random(seed))
    return [is_lost(PACKET) for _ in range(packets)]


def test_random_loss_loses_as_many_as_its_probability_says() -> None:
    assert 1900 < sum(lost(RandomLoss(0.2), 10_000)) < 2100


def test_random_loss_comes_from_its_generator_alone() -> None:
    assert lost(RandomLoss(0.2), 100, seed=7) == lost(RandomLoss(0.2), 100, seed=7)
    assert lost(RandomLoss(0.2), 100, seed=7) != lost(RandomLoss(0.2), 100, seed=8)


def test_no_loss_and_full_loss() -> None:
    assert not any(lost(NO_LOSS, 1000))
    assert all(lost(RandomLoss(1.0), 1000))


def test_bursts_are_as_long_and_as_frequent_as_their_probabilities_say() -> None:
    fates = lost(BurstLoss(begins=0.01, ends=0.2), 100_000)
    bursts = [len(list(run)) for is_lost, run in groupby(fates) if is_lost]
    assert 4.5 < sum(bursts) / len(bursts) < 5.5
    good = len(fates) - sum(bursts)
    assert 0.009 < len(bursts) / good < 0.011


def test_bursts_lose_with_a_probability_of_their_own_inside_and_between() -> None:
    # The share of the bad state is begins / (begins + ends): one half.
    fates = lost(BurstLoss(begins=0.1, ends=0.1, in_burst=0.6, between=0.2), 100_000)
    assert 0.39 < sum(fates) / len(fates) < 0.41


def test_each_direction_has_a_burst_of_its_own() -> None:
    model = BurstLoss(begins=1.0, ends=0.0)
    first, second = model.begin(Random(1)), BurstLoss(begins=0.0, ends=0.0).begin(Random(1))
    assert first(PACKET)
    assert not second(PACKET)
    assert model.begin(Random(1))(PACKET)


def test_a_predicate_decides_about_each_packet() -> None:
    is_lost = LossWhere(lambda packet: packet.data == b"x").begin(Random(1))
    assert is_lost(PACKET)
    assert not is_lost(PACKET._replace(data=b"y"))


@pytest.mark.parametrize(
    ("make", "arguments", "error", "name"),
    [
        (RandomLoss, {"probability": 1.1}, ValueError, "probability"),
        (RandomLoss, {"probability": -0.1}, ValueError, "probability"),
        (RandomLoss, {"probability": float("nan")}, ValueError, "probability"),
        (RandomLoss, {"probability": "0.1"}, TypeError, "probability"),
        (RandomLoss, {"probability": True}, TypeError, "probability"),
        (BurstLoss, {"begins": 2, "ends": 0.5}, ValueError, "begins"),
        (BurstLoss, {"begins": 0.1, "ends": None}, TypeError, "ends"),
        (BurstLoss, {"begins": 0.1, "ends": 0.5, "in_burst": 2}, ValueError, "in_burst"),
        (BurstLoss, {"begins": 0.1, "ends": 0.5, "between": -1}, ValueError, "between"),
        (LossWhere, {"predicate": 0.1}, TypeError, "predicate"),
    ],
)
def test_bad_arguments_are_named(make: Any, arguments: dict[str, Any], error: type[Exception], name: str) -> None:
    with pytest.raises(error, match=name):
        make(**arguments)
