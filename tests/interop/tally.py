"""The same tally of messages as peer/tally.h keeps, so that both ends can be compared."""

from __future__ import annotations

import hashlib
from typing import Any


class Tally:
    """How many messages and bytes, a hash per ordered stream, and one over all unordered messages."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self._ordered: dict[int, Any] = {}
        self._unordered = 0

    def add(self, stream: int, data: bytes, *, unordered: bool = False) -> None:
        """Count one message."""
        self.messages += 1
        self.bytes += len(data)
        if unordered:
            # A sum, for unordered messages may come in any order; unlike an exclusive or it sees duplicates.
            digest = hashlib.sha256(data).digest()
            self._unordered = (self._unordered + int.from_bytes(digest, "big")) % 2**256
        else:
            self._ordered.setdefault(stream, hashlib.sha256()).update(data)

    def event(self, name: str) -> dict[str, object]:
        """The event a peer prints with its tally."""
        return {
            "event": name,
            "messages": self.messages,
            "bytes": self.bytes,
            "ordered": {str(stream): hash_.hexdigest() for stream, hash_ in sorted(self._ordered.items())},
            "unordered": f"{self._unordered:064x}",
        }
