"""Explicit EOR (RFC 6458 §8.1.26): what we are given part by part, usrsctp reads, and echoes, as one message."""

from __future__ import annotations

import asyncio

import pytest

from tests.interop.pairs import CONNECTORS, associated
from tests.interop.usrsctp import Usrsctp

PARTS = (b"a" * 1000, b"b" * 20_000, b"c")


@pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])
@pytest.mark.parametrize("interleaving", [False, True], ids=["plain", "interleaving"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_parts_are_one_message_to_usrsctp(
    usrsctp: Usrsctp, connector: str, interleaving: bool, unordered: bool
) -> None:
    async with associated(usrsctp, connector, echo=True, interleaving=interleaving) as (association, _, _):
        assert ("idata" in association.negotiated) == interleaving
        for _ in range(2):
            for number, data in enumerate(PARTS):
                is_last = number == len(PARTS) - 1
                await association.send(data, stream=3, ppid=9, unordered=unordered, end_of_record=is_last)
                await association.wait_acknowledged()
            async with asyncio.timeout(10):
                message = await association.receive()
            assert (message.data, message.stream, message.ppid) == (b"".join(PARTS), 3, 9)
            assert message.unordered is unordered


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_with_i_data_usrsctp_reads_another_message_amid_a_record(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector, echo=True, interleaving=True) as (association, _, _):
        await association.send(PARTS[0], stream=3, end_of_record=False)
        await association.send(b"another", stream=4)
        async with asyncio.timeout(10):
            assert (await association.receive()).data == b"another"
        await association.send(PARTS[1], stream=3)
        async with asyncio.timeout(10):
            assert (await association.receive()).data == PARTS[0] + PARTS[1]
