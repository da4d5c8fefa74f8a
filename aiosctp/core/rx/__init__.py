"""The receiving half of the data plane: TSNs in, SACKs out, messages put together (§6.2, §6.5-6.7, §6.9).

`tsns` knows which TSNs have come, `window` what is held. `reassembly` holds DATA until its message is complete, and
`interleaved` I-DATA: one association has one of them. `streams` says whose turn it is, `queues` has what the user can
read; `delivery` brings a message there, or `in_order`, the short way. `renewal` begins streams anew (RFC 6525),
`forwarding` passes over what the peer has given up (RFC 3758); `receiver` joins them and decides about SACKs.
"""

from aiosctp.core.rx.receiver import Receiver

__all__ = ["Receiver"]
