"""Packets too big: what ICMP and the operating system say of the path MTU (RFC 8899 §4.6), and how far to believe it.

Anyone who sees our packets can forge such a message. So it only tells path MTU discovery what to try: a probe has to
say the same before much is made of it. Section numbers are RFC 8899's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.core.addresses import is_ipv6
from aiosctp.core.mtu_sizes import base_mtu, plateau_below, smaller_size
from aiosctp.core.path_mtu import Phase, Search
from aiosctp.core.paths import least_mtu
from aiosctp.core.states import MAY_TRANSMIT_DATA

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


def packet_too_big(association: AssociationEngine, path: Path, mtu: int, now: float, *, quotes_heartbeat: bool) -> None:
    """§4.6.2: a PTB message that is about a packet of ours, and names this size, or 0 when it named none. It "MUST NOT
    be used directly to set the PLPMTU"."""
    if path.mtu_is_fixed:
        return
    search = path.mtu_search
    if not path.discovers_mtu:
        _believe(path, mtu or plateau_below(path.mtu))
    elif mtu == 0 and search is not None:
        _probe_was_too_big(association, path, search, now, quotes_heartbeat=quotes_heartbeat)
    else:
        _told(association, path, mtu or plateau_below(path.mtu), now)


def _believe(path: Path, mtu: int) -> None:
    """Without discovery by probes, the word of a router is taken (RFC 1191, RFC 8201), but no message makes a path
    smaller than its family's least MTU."""
    if least_mtu(path.address) <= mtu < path.mtu:
        path.set_mtu(mtu)


def _probe_was_too_big(
    association: AssociationEngine, path: Path, search: Search, now: float, *, quotes_heartbeat: bool
) -> None:
    """Nobody says for what: for the probe that is under way, if a HEARTBEAT was. Of DATA it tells nothing that is not
    being found out; it may have been sent before the path was taken for narrower."""
    if not quotes_heartbeat or search.is_held:
        return
    if search.probed > path.mtu:
        search.ceiling = min(search.ceiling, search.probed)
        association.path_mtu.go_on(path, now)
    else:
        _told(association, path, plateau_below(search.probed), now)


def _told(association: AssociationEngine, path: Path, mtu: int, now: float) -> None:
    search = path.mtu_search
    probed = 0 if search is None else search.probed
    if mtu < least_mtu(path.address):
        return  # "ought to be discarded without further processing"
    if association.state not in MAY_TRANSMIT_DATA or not path.is_active:
        # No probe can tell: none goes to an address that is not confirmed (RFC 9260 §5.4).
        if search is None and mtu < path.mtu:
            path.set_mtu(min(path.mtu, base_mtu(path.address)))
    elif search is not None and search.phase is Phase.BASE and mtu < probed:
        search.hint = mtu
        association.path_mtu.try_smaller(path)
    elif mtu < path.mtu:
        _is_narrower(association, path, mtu, now)
    elif search is not None and mtu < probed:
        # "the next search point"; Figure 5: PL_PTB_SIZE = PLPMTU ends the search.
        search.ceiling, search.hint = mtu + 1, mtu
        association.path_mtu.go_on(path, now)


def _is_narrower(association: AssociationEngine, path: Path, mtu: int, now: float) -> None:
    """§4.6.2: "The PLPMTU SHOULD be set to BASE_PLPMTU", and what was told is tried. §8: "never reduces the PLPMTU
    below the base size solely in response to receiving a PTB message": below, a probe has to tell as well."""
    discovery = association.path_mtu
    search = path.mtu_search = Search(Phase.SEARCHING, ceiling=path.mtu, hint=mtu)
    smaller = smaller_size(path.address, path.mtu)
    is_base = smaller > least_mtu(path.address) or is_ipv6(path.address)
    if is_base:
        discovery.shrink(path, smaller)
    if mtu >= smaller and is_base:
        search.ceiling, search.told = mtu + 1, mtu
        discovery.go_on(path, now)
    else:
        search.phase = Phase.BASE
        discovery.ask(path, smaller)
