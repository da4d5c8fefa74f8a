"""The receiving half of the data plane: TSNs in, SACKs out, messages put together (§6.2, §6.5-6.7, §6.9)."""

from aiosctp.core.rx.receiver import Receiver

__all__ = ["Receiver"]
