"""A packet's size, and how a passage reads."""

from __future__ import annotations

import pytest

from aiosctp.testing import Packet, Passage


def test_the_size_counts_the_headers_of_the_family() -> None:
    assert Packet("192.0.2.1", 1, "192.0.2.2", 2, b"x" * 100).ip_bytes == 128
    assert Packet("2001:db8::1", 1, "2001:db8::2", 2, b"x" * 100).ip_bytes == 148


def test_a_packet_is_not_changed() -> None:
    packet = Packet("192.0.2.1", 1, "192.0.2.2", 2, b"x")
    with pytest.raises(AttributeError):
        packet.data = b"y"  # type: ignore[misc]  # what the test is about


def test_a_passage_says_what_befell_it() -> None:
    passage = Passage(Packet("192.0.2.1", 1, "192.0.2.2", 2, b"x"), 1.5)
    passage.faults = ("marked", "reordered")
    assert repr(passage) == (
        "<Passage at 1.500000 s, 192.0.2.1:1 -> 192.0.2.2:2, 1 bytes, under way, marked, reordered>"
    )
