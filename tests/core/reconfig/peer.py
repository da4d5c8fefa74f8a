"""A peer written by hand that has announced RE-CONFIG."""

from __future__ import annotations

from collections.abc import Iterable

from aiosctp.config import Config
from aiosctp.wire.chunks import Data, Init, InitAck, ReConfig, Sack
from aiosctp.wire.parameters import Parameter, StateCookie, SupportedExtensions
from aiosctp.wire.reconfig import ReconfigurationParameter, ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.scripted import A_INITIAL_TSN, A_RWND, COOKIE, Packet, Peer, chunks_of

TSN = A_INITIAL_TSN
"""The first TSN of the peer, and the number of its first request."""


class ReconfigPeer(Peer):
    """A: it has announced RE-CONFIG, and both have ten streams each way. Z has connected to it."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.established()
        self.ours = self.z_initial_tsn
        """The first TSN of Z, and the number of its first request."""

    def init(self, *parameters: Parameter) -> Init:
        return super().init(SupportedExtensions((0x82,)), *parameters)

    def init_ack(self, cookie: bytes = COOKIE) -> InitAck:
        parameters = (SupportedExtensions((0x82,)), StateCookie(cookie))
        return InitAck(self.tag, A_RWND, 10, 10, A_INITIAL_TSN, parameters)

    def ask(self, *parameters: ReconfigurationParameter) -> list[ReconfigurationParameter]:
        """A -> RE-CONFIG -> Z; the parameters that Z sends at once."""
        found = parameters_of(self.send(ReConfig(parameters)))
        check_association(self.association)
        return found

    def data(
        self, tsn: int, ssn: int, payload: bytes = b"data", *, stream: int = 0, unordered: bool = False
    ) -> list[Packet]:
        return self.send(Data(TSN + tsn & 0xFFFF_FFFF, stream, ssn, 0, payload, unordered=unordered))

    def sack(self, count: int) -> list[Packet]:
        """For so many of Z's chunks."""
        return self.send(Sack(self.ours + count - 1 & 0xFFFF_FFFF, A_RWND))

    def texts(self, stream: int | None = None) -> list[str]:
        """What the user reads; a mark is a bar."""
        found: list[str] = []
        while (message := self.association.receiver.read(stream)) is not None:
            found.append(message.data.decode() or "|")
        self.touch()
        return found


def parameters_of(packets: Iterable[Packet]) -> list[ReconfigurationParameter]:
    found: list[ReconfigurationParameter] = []
    for chunk in chunks_of(packets, ReConfig):
        for parameter in chunk.parameters:
            assert isinstance(parameter, ReconfigurationParameter)
            found.append(parameter)
    return found


def results_of(parameters: Iterable[ReconfigurationParameter]) -> list[int]:
    return [each.result for each in parameters if isinstance(each, ReconfigurationResponse)]
