"""100 MB in each direction, with and without loss, compared by hashes that both ends compute."""

from __future__ import annotations

import random

import pytest

from tests.interop.pairs import CONFIG, associated
from tests.interop.tally import Tally
from tests.interop.usrsctp import Usrsctp

TOTAL_BYTES = 100_000_000
MESSAGE_BYTES = 65_536
STREAMS = 4
TIMEOUT_S = 60.0

# A lost retransmission costs a whole RTO: a tenth of a second is long on loopback.
PEER_RTO = ["sctp_rto_initial_default=100", "sctp_rto_min_default=100"]
QUICK_CONFIG = CONFIG.replace(rto_initial_s=0.1, rto_min_s=0.1)

LOSS = pytest.mark.parametrize("loss", [None, 0.01], ids=["lossless", "lossy"])


@LOSS
async def test_bulk_to_usrsctp(usrsctp: Usrsctp, loss: float | None) -> None:
    sent = Tally()
    block = random.Random(1).randbytes(2 * MESSAGE_BYTES)
    async with associated(usrsctp, "aiosctp", config=QUICK_CONFIG, loss=loss, sysctl=PEER_RTO) as (
        association,
        peer,
        relay,
    ):
        while sent.bytes < TOTAL_BYTES:
            start = sent.messages * 7 % MESSAGE_BYTES
            data = block[start : start + min(MESSAGE_BYTES, TOTAL_BYTES - sent.bytes)]
            stream = sent.messages % STREAMS
            await association.send(data, stream=stream)
            sent.add(stream, data)
        await association.shutdown(timeout=TIMEOUT_S)
        received = await peer.event("received", timeout_s=TIMEOUT_S)
    assert received == sent.event("received")
    assert loss is None or (relay is not None and relay.lost > 0)


@LOSS
async def test_bulk_from_usrsctp(usrsctp: Usrsctp, loss: float | None) -> None:
    received = Tally()
    async with associated(usrsctp, "usrsctp", config=QUICK_CONFIG, loss=loss, sysctl=PEER_RTO) as (
        association,
        peer,
        relay,
    ):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.command("source", TOTAL_BYTES, MESSAGE_BYTES, STREAMS)
        while received.bytes < TOTAL_BYTES:
            message = await association.receive()
            received.add(message.stream, message.data)
        sent = await peer.event("sent")
    assert received.event("sent") == sent
    assert loss is None or (relay is not None and relay.lost > 0)
