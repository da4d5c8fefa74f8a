"""Path MTU discovery by probes (DPLPMTUD, RFC 8899): how large the packets of each path may be.

A path begins with a size that nearly all networks carry (`paths.initial_mtu`). When there is more to send than one
packet takes, a HEARTBEAT with padding (§6.2.1.2) of a larger size is sent to find out whether that gets through. What
is answered is the path MTU from then on; what is not tells nothing but that a smaller size is to be tried. When data
times out, packets of the size in use are doubted: a path may have become narrower, and its routers silent (§4.3).

Sizes are those of IP packets with all their headers, as in `Config.path_mtu`. Section numbers are RFC 8899's.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING

from aiosctp.config import MAX_PATH_MTU
from aiosctp.core.datagram import Datagram
from aiosctp.core.mtu_sizes import next_size, smaller_size
from aiosctp.core.paths import NEVER, fixed_mtu, largest_packet, least_mtu, usual_mtu
from aiosctp.core.states import MAY_TRANSMIT_DATA
from aiosctp.core.timers import Timer
from aiosctp.wire.chunks import Pad
from aiosctp.wire.packet import CHUNK_HEADER_BYTES, HEADER_BYTES, encode_packet

if TYPE_CHECKING:
    from aiosctp.config import Config
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

# §5.1.2: "The default value of MAX_PROBES is 3".
MAX_PROBES = 3
# §5.1.1: PROBE_TIMER "MUST NOT be smaller than 1 second and SHOULD be larger than 15 seconds". The path's RTO says how
# long an answer takes: 15 s would leave a narrower path unnoticed for a minute.
MIN_PROBE_TIMER_S = 1.0
# How often it is looked, when data flows, for paths that were not ready to be searched before.
LOOK_AGAIN_S = 1.0


class Phase(Enum):
    """What a probe is to find out (§5.1.4)."""

    SEARCHING = auto()
    """Whether a larger size gets through."""
    CONFIRMING = auto()
    """Whether the size in use still does (§4.3)."""
    BASE = auto()
    """Whether a smaller one does: then the one in use falls into a black hole."""


class Search:
    """What goes on on a path until its search is complete."""

    __slots__ = ("carried", "ceiling", "hint", "is_held", "phase", "probe_count", "probed", "told")

    def __init__(self, phase: Phase, ceiling: int = 0, hint: int = 0) -> None:
        self.phase: Phase = phase
        self.ceiling: int = ceiling
        """The smallest size that is believed to be too large; 0 when larger ones are not being searched for."""
        self.hint: int = hint
        """What to try next, when something was told; else 0."""
        self.carried: int = 0
        """A size that gets through, smaller than the one in use, which may not; else 0."""
        self.probed: int = 0
        """PROBED_SIZE: that of the probe that is to be sent or to be answered, else 0."""
        self.probe_count: int = 0
        """PROBE_COUNT: probes lost in a row."""
        self.is_held: bool = False
        """Whether PROBE_TIMER is that of a probe that may not go yet."""
        self.told: int = 0
        """What a router told that the path carries no more than, while larger packets may be in flight; else 0."""


class PathMtuDiscovery:
    """The searches of one association."""

    __slots__ = ("_association", "_due", "_look_at_s")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._due: tuple[Path, ...] = ()
        """The paths whose next probe may go."""
        self._look_at_s = math.inf
        """When data that is sent may begin a search; never, where no path is to be searched."""
        self.look_anew()

    def look_anew(self) -> None:
        """The paths are others, or something else is wanted of them."""
        is_on = any(path.discovers_mtu for path in self._association.paths)
        self._look_at_s = -math.inf if is_on else math.inf

    def transmit(self, now: float) -> list[Datagram]:
        """The probes that are due, after the data was sent that may call for them."""
        if now >= self._look_at_s:
            self._look(now)
        if not self._due:
            return []
        due, self._due = self._due, ()
        # Since one fell due, the association may have ended.
        may_probe = self._association.state in MAY_TRANSMIT_DATA
        return [
            self._probe(path, now)
            for path in due
            if may_probe and path.mtu_search is not None and not self._must_wait(path, now)
        ]

    def stop(self) -> None:
        """No HEARTBEAT goes any more (RFC 9260 §8.3)."""
        self._due = ()
        for path in self._association.paths:
            self._drop(path)

    # -- what the user wants --

    def fix(self, path: Path, mtu: int | None) -> None:
        """The user knows it; or, None, no more: it begins with what the route takes. Said again it ends no search."""
        if mtu == _fixed(path):
            return
        path.mtu_is_fixed = mtu is not None
        self._begin_anew(path)
        if mtu is None:
            mtu = usual_mtu(path.address, self._association.route_mtu(path.local_address, path.address))
        path.set_mtu(mtu)

    def switch(self, path: Path, *, is_on: bool) -> None:
        """Discovery on this path, with what it has found out."""
        if path.path_mtu_discovery is not is_on:
            path.path_mtu_discovery = is_on
            self._begin_anew(path)

    def _begin_anew(self, path: Path) -> None:
        self._drop(path)
        path.mtu_settled_until_s = -math.inf
        self.look_anew()

    def configure(self, before: Config, config: Config) -> None:
        """A path keeps what was set for it alone."""
        for path in self._association.paths:
            mtu = fixed_mtu(path.address, config)
            if mtu != fixed_mtu(path.address, before) == _fixed(path):
                self.fix(path, mtu)
            if path.path_mtu_discovery is before.path_mtu_discovery:
                self.switch(path, is_on=config.path_mtu_discovery)

    # -- searching --

    def _look(self, now: float) -> None:
        """§5.1.1: "DPLPMTUD MAY inhibit sending probe packets when no application data has been sent". Larger packets
        are of use to who has more to send than one takes; all paths are searched then, for the smallest of them sizes
        the fragments (RFC 9260 §7.3)."""
        association = self._association
        # Asked at every flush until there is something to search for.
        for path in association.paths.all:
            if path.flight_bytes >= path.packet_bytes:
                break
        else:
            return
        if association.state not in MAY_TRANSMIT_DATA:
            return
        for path in association.paths:
            if path.is_active and path.discovers_mtu and path.mtu_search is None and now >= path.mtu_settled_until_s:
                self._begin(path, now)
        settled_until_s = min(path.mtu_settled_until_s for path in association.paths)
        self._look_at_s = max(settled_until_s, now + LOOK_AGAIN_S)

    def _begin(self, path: Path, now: float) -> None:
        """Most paths take what the interface takes: that is tried first."""
        largest = self._largest(path)
        path.mtu_search = Search(Phase.SEARCHING, largest + 1, hint=largest)
        self.go_on(path, now)

    def _largest(self, path: Path) -> int:
        """§5.1.2: MAX_PLPMTU, no larger "than ... can be sent on the outgoing interface". It bounds what is tried, and
        takes nothing away from what was found to be carried. Where nothing is known of the route, DF may be off, and
        what is answered may have been fragmented."""
        largest = self._association.route_mtu(path.local_address, path.address)
        return path.mtu if largest is None else max(least_mtu(path.address), min(largest, MAX_PATH_MTU))

    def go_on(self, path: Path, now: float) -> None:
        """Probe the next size, or be content."""
        search = path.mtu_search
        assert search is not None
        search.phase = Phase.SEARCHING
        size = search.hint
        if not path.mtu < size < search.ceiling:
            size = next_size(path.mtu, search.ceiling, is_last_try=search.probe_count == MAX_PROBES - 1)
        search.hint = 0
        if size:
            self.ask(path, size)
        else:
            self._complete(path, now)

    def _complete(self, path: Path, now: float) -> None:
        """§5.2: SEARCH_COMPLETE. There is nothing to wake up for: data that is sent after PMTU_RAISE_TIMER begins the
        next search."""
        self._drop(path)
        path.mtu_settled_until_s = now + self._association.config.pmtu_raise_s

    def _drop(self, path: Path) -> None:
        path.mtu_search = None
        self._association.timers.stop((Timer.PATH_MTU_PROBE, path))

    # -- probes --

    def ask(self, path: Path, size: int) -> None:
        """The next probe has this size. It replaces one that is under way."""
        search = path.mtu_search
        assert search is not None
        search.probed = size
        search.is_held = False
        self._association.timers.stop((Timer.PATH_MTU_PROBE, path))
        if path not in self._due:
            self._due += (path,)

    def _must_wait(self, path: Path, now: float) -> bool:
        """§8: "the interval between individual probe packets MUST be at least one RTT", however many PTB messages there
        are, which anyone who sees our packets can forge."""
        search = path.mtu_search
        assert search is not None
        rtt_s = path.rto.rto_s if path.rto.srtt_s is None else path.rto.srtt_s
        search.is_held = now < path.mtu_probed_at_s + rtt_s
        if search.is_held:
            self._association.timers.start((Timer.PATH_MTU_PROBE, path), path.mtu_probed_at_s + rtt_s)
        return search.is_held

    def _probe(self, path: Path, now: float) -> Datagram:
        """§6.2.1.2: "an SCTP common header followed by a HEARTBEAT chunk and a PAD chunk". §3, 2: with DF set."""
        association = self._association
        search = path.mtu_search
        assert search is not None
        path.mtu_probed_at_s = now
        heartbeat = association.heartbeats.make_mtu_probe(path, search.probed, now)
        room = largest_packet(path.address, search.probed) - HEADER_BYTES - len(heartbeat)
        pad = Pad(bytes((room & ~3) - CHUNK_HEADER_BYTES)).encode()
        association.counters.octrlchunks += 1
        association.timers.start((Timer.PATH_MTU_PROBE, path), now + max(MIN_PROBE_TIMER_S, path.rto.rto_s))
        data = encode_packet(association.local_port, association.peer_port, association.tcb.peer_tag, (heartbeat, pad))
        return Datagram(data, path.local_address, path.address, path.udp_port)

    def answered(self, path: Path, size: int, now: float) -> None:
        """The probe of this size arrived. §3: "robust to the possibility that packets could be significantly delayed":
        it may have been given up before."""
        search = path.mtu_search
        if search is None or size != search.probed:
            self._answered_late(path, size)
            return
        # A round trip has passed, be it shorter than most.
        path.mtu_probed_at_s = NEVER
        self._association.timers.stop((Timer.PATH_MTU_PROBE, path))
        match search.phase:
            case Phase.SEARCHING:
                search.probe_count = 0
                self._raise(path, size)
                self._resend_what_was_too_large(path, search, size)
                self.go_on(path, now)
            case Phase.CONFIRMING:
                self._doubt_was_unfounded(path, now)
            case Phase.BASE:
                self._smaller_one_arrived(path, size, now)

    def _resend_what_was_too_large(self, path: Path, search: Search, size: int) -> None:
        """What the router told is true as far as it can be found out."""
        if search.told and size + 3 >= search.told:  # packets end on a 4-byte boundary
            search.told = 0
            self._association.sender.packets_were_too_large(path)

    def _answered_late(self, path: Path, size: int) -> None:
        if path.mtu_is_fixed:
            return
        search = path.mtu_search
        if search is not None and search.ceiling:
            search.ceiling = max(search.ceiling, size + 1)
        if size >= path.mtu:
            self._raise(path, size)
        elif search is not None and search.phase is not Phase.SEARCHING:
            search.carried = max(search.carried, size)

    def _raise(self, path: Path, size: int) -> None:
        """§5.3.1: "the PROBED_SIZE value is then assigned to the PLPMTU"; a late answer may have raised it further."""
        if size > path.mtu:
            path.set_mtu(size)

    def timer_expired(self, path: Path, now: float) -> None:
        """PROBE_TIMER."""
        assert path.mtu_search is not None
        if path.mtu_search.is_held:
            self.ask(path, path.mtu_search.probed)
        else:
            self.unanswered(path, now)

    def unanswered(self, path: Path, now: float) -> None:
        """§3, 7: "Loss of a probe packet SHOULD NOT be treated as an indication of congestion"; §6.2.1.2: "an
        unsuccessful probe is discounted"."""
        search = path.mtu_search
        assert search is not None
        search.probe_count += 1
        match search.phase:
            case Phase.SEARCHING:
                search.ceiling = min(search.ceiling, search.probed)
                # §5.3.1: "If the value of the PROBE_COUNT reaches MAX_PROBES, probing will stop".
                if search.probe_count >= MAX_PROBES:
                    self._complete(path, now)
                else:
                    self.go_on(path, now)
            case Phase.CONFIRMING:
                # Data that is not acknowledged either says the same as another lost probe.
                if not path.awaits_ack_after_timeout and search.probe_count < MAX_PROBES:
                    self.ask(path, path.mtu)
                elif search.carried:
                    self._fall(path, search.carried, now)
                else:
                    self.try_smaller(path)
            case Phase.BASE:
                self.try_smaller(path)

    # -- a path that became narrower --

    def t3_expiring(self, path: Path) -> None:
        """§4.3: "excessive loss of data sent with a specific packet size" may be a black hole, which small HEARTBEATs
        that are answered must not hide. A probe of the size in use tells."""
        search = path.mtu_search
        if not path.discovers_mtu or (search is not None and search.phase is not Phase.SEARCHING):
            return
        smaller = smaller_size(path.address, path.mtu)
        if not smaller or path.flight_bytes <= largest_packet(path.address, smaller) - HEADER_BYTES:
            return  # no packet that was lost needs to have been larger than the smallest that is known to be carried
        if search is None:
            search = path.mtu_search = Search(Phase.CONFIRMING)
        elif search.probed:
            # It may be what filled a queue.
            search.ceiling = min(search.ceiling, search.probed)
        search.probe_count = 0
        self._confirm(path)

    def _confirm(self, path: Path) -> None:
        assert path.mtu_search is not None
        path.mtu_search.phase = Phase.CONFIRMING
        self.ask(path, path.mtu)

    def try_smaller(self, path: Path) -> None:
        """§5.2: BASE, then ERROR. When nothing gets through, the path is no narrower, but dead."""
        search = path.mtu_search
        assert search is not None
        smaller = smaller_size(path.address, search.probed)
        if smaller:
            search.phase = Phase.BASE
            self.ask(path, smaller)
        else:
            self._drop(path)

    def _doubt_was_unfounded(self, path: Path, now: float) -> None:
        search = path.mtu_search
        assert search is not None
        search.probe_count = search.carried = 0
        if search.ceiling:
            self.go_on(path, now)
        else:
            self._drop(path)

    def _smaller_one_arrived(self, path: Path, size: int, now: float) -> None:
        search = path.mtu_search
        assert search is not None
        size = max(size, search.carried)
        if size == path.mtu:
            search.probe_count = 0
            self.go_on(path, now)
        elif search.hint:
            self._fall(path, size, now)
        else:
            # The path may have been dead until a moment ago: once more, now that it is known to carry something.
            search.carried = size
            self._confirm(path)

    def _fall(self, path: Path, size: int, now: float) -> None:
        """§4.3: "DPLPMTUD sets a lower PLPMTU", and the search goes on from there."""
        search = path.mtu_search
        assert search is not None
        search.probe_count = search.carried = 0
        search.ceiling = min(search.ceiling or path.mtu, path.mtu)
        self.shrink(path, size)
        self._association.sender.packets_were_too_large(path)
        self.go_on(path, now)

    def shrink(self, path: Path, mtu: int) -> None:
        path.set_mtu(mtu)
        # What an earlier probe found out is out of date, when its answer comes.
        self._association.heartbeats.forget_mtu_probes(path)


def _fixed(path: Path) -> int | None:
    """The path MTU that holds because the user set it."""
    return path.mtu if path.mtu_is_fixed else None
