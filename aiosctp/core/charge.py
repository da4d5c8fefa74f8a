"""What a DATA chunk takes of a receive window: of our own, and in our account of the peer's."""

from __future__ import annotations

from typing import Final

# A chunk or message that is held costs about 300 bytes besides its payload: the bytes object, the tuple with its
# numbers, the places in dicts and deques. If payload alone counted, a peer that fills the window with tiny chunks would
# make us hold many times the window. Each is therefore charged as at least this much, which bounds the memory at about
# 2.2 times the window (2.8 times, if all of it is tiny I-DATA that waits for its turn), while chunks of ordinary size
# cost exactly their payload.
MIN_CHARGE_BYTES: Final = 256


def charge_of(payload_bytes: int) -> int:
    """What a chunk or message of this size takes of the window.

    What is done for each chunk or message by itself writes this out: the call would be the dearest part of it.
    """
    return payload_bytes if payload_bytes > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
