"""Which chunk means something in which state: the table of RFC 9260, cell by cell."""

from __future__ import annotations

from typing import Any

import pytest

from aiosctp.core.association import AssociationEngine
from aiosctp.core.dispatch import DispatchTable, Handler, base_table
from aiosctp.core.paths import Path
from aiosctp.core.states import AssociationState
from aiosctp.wire.codepoints import ChunkType


def make_handler() -> Handler:
    def handler(association: AssociationEngine, chunk: Any, path: Path, now: float) -> None:
        raise AssertionError("only looked up")

    return handler


HANDLERS = {
    name: make_handler()
    for name in ("data", "sack", "heartbeat", "heartbeat_ack", "error", "init_ack", "lifecycle", "early_shutdown_ack")
}
TABLE = base_table(**HANDLERS)

# A column a state; a word is the handler, a dot a silent discard.
COLUMNS = "CLOSED COOKIE-WAIT COOKIE-ECHOED ESTABLISHED S-PENDING S-SENT S-RECEIVED S-ACK-SENT"
STATES = tuple(AssociationState)
CELLS = """
DATA               .  .      .      data data data .    .
INIT               .  .      .      .    .    .    .    .
INIT_ACK           .  initack   .      .    .    .    .    .
SACK               .  .      .      sack sack .    sack .
HEARTBEAT          .  .      hb     hb   hb   .    hb   .
HEARTBEAT_ACK      .  .      hback  hback hback hback hback hback
ABORT              .  .      .      .    .    .    .    .
SHUTDOWN           .  .      .      life life life life life
SHUTDOWN_ACK       .  early  early  .    .    life .    life
ERROR              .  .      err    err  err  err  err  err
COOKIE_ECHO        .  .      .      .    .    .    .    .
COOKIE_ACK         .  .      life   .    .    .    .    .
SHUTDOWN_COMPLETE  .  .      .      .    .    .    .    life
NR_SACK            .  .      .      .    .    .    .    .
I_DATA             .  .      .      .    .    .    .    .
RE_CONFIG          .  .      .      .    .    .    .    .
PAD                .  .      .      .    .    .    .    .
FORWARD_TSN        .  .      .      .    .    .    .    .
I_FORWARD_TSN      .  .      .      .    .    .    .    .
"""
WORDS = {
    "data": "data",
    "sack": "sack",
    "hb": "heartbeat",
    "hback": "heartbeat_ack",
    "err": "error",
    "initack": "init_ack",
    "life": "lifecycle",
    "early": "early_shutdown_ack",
}
ROWS = [line.split() for line in CELLS.strip().splitlines()]


def test_the_cells_are_all_there() -> None:
    assert [ChunkType[row[0]] for row in ROWS] == list(ChunkType)
    assert [state.value.replace("SHUTDOWN", "S") for state in STATES] == COLUMNS.split()
    assert all(len(row) == 1 + len(STATES) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_a_chunk_is_heard_in_the_states_that_the_rfc_names(row: list[str]) -> None:
    """§5.2.3, §5.2.5, §6, §8.3, §8.5.1, §9.2: everywhere else it is silently discarded. INIT, COOKIE ECHO and ABORT are
    given their meaning before the state is asked."""
    for state, word in zip(STATES, row[1:], strict=True):
        expected = None if word == "." else HANDLERS[WORDS[word]]
        assert TABLE.find(ChunkType[row[0]], state) is expected, state


def test_a_chunk_type_that_nobody_registered_is_not_in_the_table() -> None:
    assert all(TABLE.find(0xC1, state) is None for state in STATES)


def test_an_extension_registers_its_chunks_in_the_states_it_names() -> None:
    table, handler = DispatchTable(), make_handler()
    table.register(0xC0, (AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_SENT), handler)
    heard = [state for state in STATES if table.find(0xC0, state) is handler]
    assert heard == [AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_SENT]


def test_what_is_registered_last_counts_and_touches_no_other_cell() -> None:
    table, first, second = DispatchTable(), make_handler(), make_handler()
    table.register(0, STATES, first)
    table.register(0, (AssociationState.ESTABLISHED,), second)
    assert table.find(0, AssociationState.ESTABLISHED) is second
    assert table.find(0, AssociationState.SHUTDOWN_PENDING) is first
