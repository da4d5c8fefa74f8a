"""What holds of every association and stack between two steps, whatever befell them."""

from __future__ import annotations

from aiosctp.core.association import AssociationEngine
from aiosctp.core.heartbeat import MAX_PENDING
from aiosctp.core.lookup import keys_of
from aiosctp.core.packing import MAX_QUEUED_CONTROL_CHUNKS
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import HANDSHAKE, MAY_TRANSMIT_DATA, SHUTTING_DOWN, AssociationState
from aiosctp.core.timers import Timer
from aiosctp.core.tx.chunk import IN_FLIGHT, MARKED

_OVERDRAFT_BYTES = 0x2_0000


def check_association(association: AssociationEngine) -> None:
    """Raises AssertionError. To be called when its outputs have been taken."""
    check_planes(association)
    check_state(association)


def check_planes(association: AssociationEngine) -> None:
    """The bookkeeping of both data planes: linear in what they hold."""
    association.sender.check_invariants()
    association.receiver.check_invariants()
    _check_lifetimes(association)


def _check_lifetimes(association: AssociationEngine) -> None:
    """What waits to be sent, or sent again, is abandoned when its lifetime is over (RFC 3758 §4.1)."""
    limits = association.sender.queue.limits
    if limits is None or association.state not in MAY_TRANSMIT_DATA:
        return
    live = [limited for _, _, limited in limits.expiries.entries if limits.is_live(limited)]
    if any(not limited.is_whole or limited.was_lost for limited in live):
        assert association.timers.is_running(Timer.LIFETIME), "nothing will end a lifetime"


def check_state(association: AssociationEngine) -> None:
    """All the rest, which costs the same whatever is held."""
    check_timers(association)
    check_bounds(association)
    state = association.state
    if state in MAY_TRANSMIT_DATA:
        _check_that_data_moves(association)
    if state in (AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT, AssociationState.CLOSED):
        assert association.sender.is_drained, f"{state} with data to send"
    if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED):
        sender = association.sender
        can_wait = not sender.is_at_rest or sender.queue.held_bytes > 0
        waits = can_wait or not association.paths.for_data().is_confirmed
        assert waits, f"{state} with nothing left to wait for"
    has_ended = association.ending is not None
    assert has_ended == (state is AssociationState.CLOSED), f"{state}, and how it ended: {association.ending}"


def check_timers(association: AssociationEngine) -> None:
    """Each state's timers run, and no other state's."""
    timers, state = association.timers, association.state
    if state is AssociationState.CLOSED:
        assert timers.next_deadline() is None, "a timer runs although the association is closed"
        return
    assert timers.is_running(Timer.T1_INIT) == (state is AssociationState.COOKIE_WAIT), f"T1-init in {state}"
    assert timers.is_running(Timer.T1_COOKIE) == (state is AssociationState.COOKIE_ECHOED), f"T1-cookie in {state}"
    is_asking = state in (AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT)
    assert timers.is_running(Timer.T2_SHUTDOWN) == is_asking, f"T2 in {state}"
    closes = state is AssociationState.ESTABLISHED and association.config.autoclose_s is not None
    assert timers.is_running(Timer.AUTOCLOSE) == closes, f"the timer of autoclose in {state}: {not closes}"
    if state in SHUTTING_DOWN:
        assert timers.is_running(Timer.T5_SHUTDOWN_GUARD), f"no guard in {state}"
    elif state is AssociationState.ESTABLISHED:
        assert not timers.is_running(Timer.T5_SHUTDOWN_GUARD), f"a guard in {state}"
        for path in association.paths:
            probes = timers.is_running((Timer.PATH_MTU_PROBE, path))
            assert probes == (path.mtu_search is not None), f"PATH_MTU_PROBE timer of {path}: {probes}"
            beats = timers.is_running((Timer.HEARTBEAT, path))
            assert beats == (path.heartbeat or not path.is_confirmed), f"HEARTBEAT timer of {path}: {beats}"


def _check_that_data_moves(association: AssociationEngine) -> None:
    """Something will move what waits, though nothing came any more."""
    sender, receiver, timers = association.sender, association.receiver, association.timers
    # RFC 3758 §3.3.3: what was abandoned before a peer told that it does not know FORWARD TSN, nobody may move.
    awaits = any(chunk.state in (IN_FLIGHT, MARKED) for chunk in sender.outstanding)
    if sender.outstanding and (sender.peer_takes_forward_tsn or awaits):
        assert any(sender.t3.is_running(path) for path in association.paths), "outstanding data and no T3"
    if not association.paths.for_data().is_confirmed:
        # §5.4: new data and SACKs wait until a HEARTBEAT has confirmed an address.
        probed = [path for path in association.paths if timers.is_running((Timer.HEARTBEAT, path))]
        assert probed, "no address is confirmed, and none is probed"
        return
    if sender.queue and not sender.outstanding and sender.queue.peek() is None:
        assert sender.queue.awaited_streams(), "data waits, and not for the rest of a record (RFC 6458 §8.1.26)"
    elif sender.queue and not sender.outstanding:
        assert timers.is_running(Timer.ZERO_WINDOW_PROBE), "data waits, and nothing will send it"
    assert not receiver.sack_is_due, "a SACK that is due was not sent"
    if receiver.has_unacknowledged:
        assert timers.is_running(Timer.SACK_DELAY), "data that nothing will acknowledge"


def check_bounds(association: AssociationEngine) -> None:
    waiting = len(association.output.control)
    assert waiting <= MAX_QUEUED_CONTROL_CHUNKS, f"{waiting} control chunks wait, beyond the bound"
    if association.state not in HANDSHAKE:
        assert not waiting, "control chunks were left behind"
    held, window = association.receiver.held_bytes, association.config.receive_window_bytes
    assert held <= window + _OVERDRAFT_BYTES, f"{held} bytes are held, and the window is {window}"
    for path in association.paths:
        assert len(path.pending_heartbeats) <= MAX_PENDING, f"too many HEARTBEATs of {path} are pending"
        assert path.rto.rto_s <= association.config.rto_max_s, f"the RTO of {path} is above RTO.Max"


def check_stack(stack: StackEngine, associations: list[AssociationEngine]) -> None:
    """Living associations can be found and have their turn; others have left nothing."""
    living = [each for each in associations if each.state is not AssociationState.CLOSED]
    assert set(stack._lookup.by_tag.values()) == set(living)
    assert set(stack._lookup.by_peer.values()) <= set(living)
    assert set(stack._lookup.known) == set(living)
    assert stack._lookup.by_peer.keys() == {
        key for association, (_, paths) in stack._lookup.known.items() for key in keys_of(association, paths)
    }, "an address is not found"
    scheduled = stack._wake_ups.scheduled()
    assert set(scheduled) <= set(living)
    for association in living:
        due = association.next_deadline()
        if due is not None:
            assert scheduled[association] <= due, "its next deadline would be missed"
