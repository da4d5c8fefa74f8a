"""The receiving half of the data plane: TSNs in, SACKs out, messages put together (§6.2, §6.5-6.7, §6.9).

`tsns` knows which TSNs have come, `window` what is held, `reassembly` holds the chunks until their message is complete,
`streams` says whose turn it is, `queues` has what the user can read; `receiver` joins them and decides about SACKs.
"""

from aiosctp.core.rx.receiver import Receiver

__all__ = ["Receiver"]
