"""The counters: their names are promises to users."""

from __future__ import annotations

from aiosctp.core.statistics import AssociationCounters, StackCounters, counters_as_dict


def test_an_association_has_the_thirteen_counters_of_solaris_and_linux() -> None:
    """In the order of `sctp_assoc_stats`, as the `sas_` fields stand there."""
    assert list(counters_as_dict(AssociationCounters())) == [
        "rtxchunks",
        "gapcnt",
        "maxrto",
        "outseqtsns",
        "osacks",
        "isacks",
        "octrlchunks",
        "ictrlchunks",
        "oodchunks",
        "iodchunks",
        "ouodchunks",
        "iuodchunks",
        "idupchunks",
    ]


def test_all_counters_start_at_zero() -> None:
    for counters in (AssociationCounters(), StackCounters()):
        assert set(counters_as_dict(counters).values()) == {0}


def test_the_dict_is_a_copy_of_what_was_counted() -> None:
    counters = StackCounters()
    counters.out_of_the_blue += 2
    taken = counters_as_dict(counters)
    counters.out_of_the_blue += 1
    assert taken["out_of_the_blue"] == 2


def test_a_counter_that_does_not_exist_cannot_be_counted() -> None:
    """A misspelt name is an error where it is counted, not a number that nobody ever sees."""
    assert not hasattr(AssociationCounters(), "__dict__")
    assert not hasattr(StackCounters(), "__dict__")
