"""Path MTU discovery: the sizes that are worth a try (RFC 8899, whose section numbers these are)."""

from __future__ import annotations

from aiosctp.core.addresses import is_ipv6
from aiosctp.core.paths import IPV4_HEADER_BYTES, least_mtu

# §5.1.2: "When using IPv4, ... a default BASE_PLPMTU of 1200 bytes is RECOMMENDED", which the IP header is not part of.
BASE_IPV4_MTU = 1200 + IPV4_HEADER_BYTES
# §5.3.2: "a table of common PMTU sizes": modems and X.25, tunnels in tunnels, IPv6's least, WireGuard, clouds, tunnels,
# PPPoE, Ethernet, FDDI, clouds and Ethernet with jumbo frames, InfiniBand.
LIKELY_MTUS = (576, 1006, 1280, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 4352, 8500, 8896, 9000, 16384, 32768, 65520)
# §5.3.2: "a minimum useful gain in PLPMTU": less than this part of it is not worth a probe.
_LEAST_GAIN = 64


def base_mtu(address: str) -> int:
    """BASE_PLPMTU."""
    return least_mtu(address) if is_ipv6(address) else BASE_IPV4_MTU


def smaller_size(address: str, size: int) -> int:
    """The next smaller size that a path to this address is expected to carry: BASE_PLPMTU, MIN_PLPMTU; then 0."""
    least, base = least_mtu(address), base_mtu(address)
    return base if base < size else least if least < size else 0


def next_size(confirmed: int, ceiling: int, *, is_last_try: bool = False) -> int:
    """What to probe between a size that gets through and one that does not; 0 when nothing there is worth it.

    §5.3.2: a search by halves, over the sizes that are likely first. When one more loss will end it, the smallest.
    """
    likely = [size for size in LIKELY_MTUS if confirmed < size < ceiling]
    if likely:
        return likely[0 if is_last_try else len(likely) // 2]
    return (confirmed + ceiling) // 2 if ceiling - confirmed > confirmed // _LEAST_GAIN else 0


def plateau_below(mtu: int) -> int:
    """RFC 1191 §7: what to try when a router does not name its MTU; 0 below the smallest."""
    return max((size for size in LIKELY_MTUS if size < mtu), default=0)
