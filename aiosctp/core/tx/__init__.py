"""The sending half of the data plane: messages cut into chunks, chunks in flight, SACKs in (§6.1-6.4, §6.9, §7.2)."""

from aiosctp.core.tx.sender import Sender

__all__ = ["Sender"]
