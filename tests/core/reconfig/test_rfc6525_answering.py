"""RFC 6525 §5.1.7, §5.2.1: how a RE-CONFIG chunk of the peer is answered, whatever it asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.wire.chunks import Data, ReConfig, Sack
from aiosctp.wire.reconfig import (
    AddOutgoingStreamsRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    BAD_SEQUENCE_NUMBER,
    DENIED,
    NOTHING_TO_DO,
    PERFORMED,
    QUIET,
    REQUESTS,
    STREAMS,
    WILLING,
    WRONG_SSN,
    Script,
    established,
    number,
    outgoing_of,
    reconfigs_of,
    requests_of,
    responses_of,
    results_of,
)
from tests.core.scripted import A_INITIAL_TSN, chunks_of

Makes = Callable[[Script], ReconfigurationParameter]

MADE: dict[str, Makes] = {
    "outgoing": lambda peer: peer.outgoing(1),
    "incoming": lambda peer: peer.incoming(1),
    "ssn_tsn": lambda peer: peer.ssn_tsn(),
    "add_outgoing": lambda peer: peer.add_outgoing(2),
    "add_incoming": lambda peer: peer.add_incoming(2),
}
EACH = pytest.mark.parametrize("makes", MADE.values(), ids=MADE)

UNWILLING = QUIET.replace(peer_may_reset_streams=False, peer_may_reset_association=False, peer_may_add_streams=False)


def in_use(config: Config = WILLING) -> Script:
    peer = established(config)
    peer.z_uses(1, 2)
    peer.a_uses(1, 2)
    return peer


def number_of(request: ReconfigurationParameter) -> int:
    assert isinstance(request, REQUESTS)
    return request.request_sequence_number


# -- the response (§5.1.7) --


@EACH
def test_each_request_is_answered_under_its_number(makes: Makes) -> None:
    """P11, S06: D1, D2: its number and a result; a granted Incoming or Add Incoming by what it asks for."""
    peer = in_use()
    request = makes(peer)
    packets = peer.ask(request)
    (chunk,) = reconfigs_of(packets)
    (answer,) = chunk.parameters
    match answer:
        case ReconfigurationResponse(response_sequence_number, result):
            assert (response_sequence_number, result) == (number_of(request), PERFORMED)
        case OutgoingSsnResetRequest():
            assert answer.response_sequence_number == number_of(request)
        case _:
            assert answer == AddOutgoingStreamsRequest(peer.z_initial_tsn, 2)


@EACH
def test_what_we_do_not_wish_to_do_is_denied(makes: Makes) -> None:
    """P11, S06: §5.2.1: "it MUST send a corresponding response parameter ... with an appropriate Result field"."""
    peer = in_use(UNWILLING)
    peer.events.clear()
    request = makes(peer)
    packets = peer.ask(request)
    # D3, D4: "If the incoming request is an SSN/TSN reset request", with both next TSNs.
    tsns = (number(peer.z_initial_tsn, 4), number(A_INITIAL_TSN, 4)) if isinstance(request, SsnTsnResetRequest) else ()
    assert reconfigs_of(packets) == [ReConfig((ReconfigurationResponse(number_of(request), DENIED, *tsns),))]
    assert peer.events == []
    # Nothing was done.
    assert (peer.inbound_streams, peer.outbound_streams) == (STREAMS, STREAMS)
    peer.says(b"third", 1, 2)
    assert peer.reads() == [(1, b"third")]
    (chunk,) = chunks_of(peer.user_sends(b"third", stream=1), Data)
    assert (chunk.tsn, chunk.ssn) == (number(peer.z_initial_tsn, 4), 2)


def test_what_is_denied_without_a_word_of_the_user() -> None:
    """P10, E05: by default a peer may reset streams and add some, but not the TSNs."""
    config = Config()
    assert (config.reconfig, config.peer_may_reset_streams, config.peer_may_add_streams) == (True, True, True)
    assert not config.peer_may_reset_association


@pytest.mark.parametrize("makes", [make for name, make in MADE.items() if name != "ssn_tsn"])
@pytest.mark.parametrize("config", [WILLING, UNWILLING], ids=["willing", "unwilling"])
def test_only_the_answer_to_an_ssn_tsn_reset_has_tsns(makes: Makes, config: Config) -> None:
    """P11, S06: D3, D4: "For other requests, the ... field, which is optional, MUST NOT be used"."""
    peer = in_use(config)
    for response in responses_of(peer.ask(makes(peer))):
        assert (response.sender_next_tsn, response.receiver_next_tsn) == (None, None)
        assert len(response.encode()) == 12


def test_the_answer_to_an_ssn_tsn_reset_has_both_tsns() -> None:
    """P11, S06: D3: "the next TSN the sender of this ... will assign"; D4: "the smallest TSN not acknowledged by the
    receiver of the request plus 2^31"."""
    peer = in_use()
    (response,) = responses_of(peer.ask(peer.ssn_tsn()))
    assert response.result == PERFORMED
    assert response.receiver_next_tsn == number(peer.next_tsn, 1 << 31)
    assert response.sender_next_tsn == number(peer.z_initial_tsn, 4)
    (chunk,) = chunks_of(peer.user_sends(b"next", stream=1), Data)
    assert chunk.tsn == response.sender_next_tsn


# -- the chunk (§5.2.1) --


@EACH
@pytest.mark.parametrize("config", [WILLING, UNWILLING], ids=["willing", "unwilling"])
def test_a_request_is_answered_with_a_sack_too(makes: Makes, config: Config) -> None:
    """S06: "a selective acknowledgment (SACK) chunk SHOULD be sent back and MAY be bundled": of what has come."""
    peer = in_use(config)
    before = peer.cumulative_tsn
    sacks = chunks_of(peer.ask(makes(peer)), Sack)
    assert len(sacks) == 1
    assert sacks[0].cumulative_tsn_ack in (before, number(before, 1 << 31))


def test_a_response_alone_is_not_acknowledged() -> None:
    """S06: only a chunk that "contains at least one request parameter" is."""
    peer = in_use()
    _, packets = peer.adds_outgoing(1)
    assert peer.answer(requests_of(packets)[0]) == []


def test_two_responses_are_one_chunk() -> None:
    """P11, S06: "If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk"."""
    peer = in_use(UNWILLING)
    outgoing, incoming = peer.outgoing(1), peer.incoming(2)
    (chunk,) = reconfigs_of(peer.ask(outgoing, incoming))
    assert chunk.parameters == (
        ReconfigurationResponse(outgoing.request_sequence_number, DENIED),
        ReconfigurationResponse(incoming.request_sequence_number, DENIED),
    )


def test_a_response_and_a_request_are_one_chunk() -> None:
    """P08, P11, S06: appendix A: RE-CONFIG(RESP:X|OUT-REQ:Y,X+1)."""
    peer = in_use()
    outgoing, incoming = peer.outgoing(), peer.incoming()
    (chunk,) = reconfigs_of(peer.ask(outgoing, incoming))
    assert chunk.parameters == (
        ReconfigurationResponse(outgoing.request_sequence_number, PERFORMED),
        OutgoingSsnResetRequest(
            peer.z_initial_tsn, incoming.request_sequence_number, number(peer.z_initial_tsn, 3), ()
        ),
    )


def test_each_parameter_is_processed_though_the_other_is_refused() -> None:
    """S06: "each parameter within it SHOULD be processed"."""
    peer = in_use()
    outgoing, incoming = peer.outgoing(STREAMS), peer.incoming(1)
    packets = peer.ask(outgoing, incoming)
    assert results_of(packets) == [(outgoing.request_sequence_number, WRONG_SSN)]
    assert [each.streams for each in outgoing_of(packets)] == [(1,)]
    peer = in_use()
    outgoing, incoming = peer.outgoing(1), peer.incoming(STREAMS)
    assert results_of(peer.ask(outgoing, incoming)) == [
        (outgoing.request_sequence_number, PERFORMED),
        (incoming.request_sequence_number, WRONG_SSN),
    ]


def test_what_is_around_the_chunk_is_processed() -> None:
    """S06: DATA, RE-CONFIG, DATA in one packet: the reset lies between them."""
    peer = in_use()
    before, request, after = peer.data(b"before", 1, 2), peer.outgoing(1), peer.data(b"after", 1, 0)
    packets = peer.send(before, ReConfig((request,)), after)
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    assert peer.reads() == [(1, b"before"), (1, b"after")]
    check_association(peer.association)


# -- a retransmission (§5.2.1) --


@EACH
@pytest.mark.parametrize("config", [WILLING, UNWILLING], ids=["willing", "unwilling"])
def test_a_retransmission_gets_the_same_chunk(makes: Makes, config: Config) -> None:
    """S06: "the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier"; nothing is done again."""
    peer = in_use(config)
    request = makes(peer)
    answers = [reconfigs_of(peer.ask(request)) for _ in range(3)]
    assert len(answers[0]) == 1
    assert answers[0] == answers[1] == answers[2]
    assert len(set(requests_of(peer.heard))) <= 1


def test_a_retransmission_of_two_requests_gets_the_same_chunk() -> None:
    """S06: their response and request, as they were."""
    peer = in_use()
    asked = peer.outgoing(1), peer.incoming(2)
    answers = [reconfigs_of(peer.ask(*asked)) for _ in range(3)]
    assert len(answers[0]) == 1
    assert answers[0] == answers[1] == answers[2]


def test_a_reset_is_not_done_again_by_a_retransmission() -> None:
    """S06: the answer was lost, and data under new SSNs has come: it is not begun anew."""
    peer = in_use()
    request = peer.outgoing(1)
    peer.ask(request)
    peer.says(b"zero", 1, 0)
    peer.ask(request)
    peer.says(b"one", 1, 1)
    assert peer.reads() == [(1, b"zero"), (1, b"one")]


def test_an_ssn_tsn_reset_repeated_gets_the_tsns_of_the_first() -> None:
    """P11, S06: those that hold, though data was sent since."""
    peer = in_use()
    request = peer.ssn_tsn()
    first = responses_of(peer.ask(request))
    peer.user_sends(b"since", stream=1)
    assert responses_of(peer.ask(request)) == first
    (chunk,) = chunks_of(peer.user_sends(b"and more", stream=1), Data)
    assert chunk.ssn == 1


def test_a_granted_incoming_reset_repeated_after_it_was_done() -> None:
    """S06: its Outgoing request was answered: the same chunk again, or that it succeeded; not a second reset."""
    peer = in_use()
    request = peer.incoming(1)
    (ours,) = outgoing_of(peer.ask(request))
    peer.answer(ours)
    peer.user_sends(b"zero", stream=1)
    packets = peer.ask(request)
    assert set(outgoing_of(packets)) <= {ours}
    assert {result for _, result in results_of(packets)} <= {PERFORMED, NOTHING_TO_DO}
    assert reconfigs_of(packets)
    (chunk,) = chunks_of(peer.user_sends(b"one", stream=1), Data)
    assert chunk.ssn == 1


# -- sequence numbers --


@EACH
@pytest.mark.parametrize("off", [1, 2, 1000, 0x7FFF_FFFF, 0x8000_0000, -3, -1000], ids=str)
def test_a_number_that_is_not_the_next_is_a_bad_one(makes: Makes, off: int) -> None:
    """X53, P11: Table 3: "Error - Bad Sequence Number"; nothing is done."""
    peer = in_use()
    peer.ask(peer.add_outgoing(1))
    peer.next_request = number(peer.next_request, off)
    request = makes(peer)
    packets = peer.ask(request)
    assert results_of(packets) == [(number_of(request), BAD_SEQUENCE_NUMBER)]
    assert requests_of(packets) == []
    assert peer.inbound_streams == STREAMS + 1
    peer.says(b"third", 1, 2)
    assert peer.reads() == [(1, b"third")]


def test_a_number_of_the_past_before_the_first_request() -> None:
    """X53: nothing was asked yet: the number before the first is no retransmission."""
    peer = in_use()
    peer.next_request = number(A_INITIAL_TSN, -1)
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, BAD_SEQUENCE_NUMBER)]
    peer.says(b"third", 1, 2)
    assert peer.reads() == [(1, b"third")]


def test_a_bad_number_does_not_move_the_next_one() -> None:
    """X53, S06: an attacker, or a packet of another life, does not put the peer out of step."""
    peer = in_use()
    peer.next_request = number(A_INITIAL_TSN, 5)
    peer.ask(peer.outgoing(1))
    peer.next_request = A_INITIAL_TSN
    for _ in range(4):
        request = peer.add_outgoing(1)
        assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    assert peer.inbound_streams == STREAMS + 4


def test_requests_in_the_wrong_order() -> None:
    """S06: the later one is refused; after the earlier one it is taken."""
    peer = in_use()
    first, second = peer.outgoing(1), peer.outgoing(2)
    assert results_of(peer.ask(second)) == [(second.request_sequence_number, BAD_SEQUENCE_NUMBER)]
    assert results_of(peer.ask(first)) == [(first.request_sequence_number, PERFORMED)]
    assert results_of(peer.ask(second)) == [(second.request_sequence_number, PERFORMED)]


def test_an_older_request_that_comes_late_is_not_done_again() -> None:
    """S06: the one before the last: a bad number, or the answer that it had; the RFC wants neither more."""
    peer = in_use()
    first, second = peer.outgoing(1), peer.outgoing(2)
    peer.ask(first)
    peer.ask(second)
    peer.says(b"zero", 1, 0)
    ((answered, result),) = results_of(peer.ask(first))
    assert answered == first.request_sequence_number
    assert result in (BAD_SEQUENCE_NUMBER, PERFORMED)
    peer.says(b"one", 1, 1)
    assert peer.reads() == [(1, b"zero"), (1, b"one")]


def test_request_numbers_of_the_peer_go_over_the_wrap() -> None:
    """S06, X42: A's begin at 2^32 - 2."""
    peer = in_use()
    seen = []
    for _ in range(5):
        ((answered, result),) = results_of(peer.ask(peer.add_outgoing(1)))
        assert result == PERFORMED
        seen.append(answered)
    assert seen == [0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1, 2]


def test_two_requests_of_one_chunk_over_the_wrap() -> None:
    """S06, X42: the second has number 0."""
    peer = in_use()
    peer.ask(peer.add_outgoing(1))
    outgoing, incoming = peer.outgoing(1), peer.incoming(1)
    assert (outgoing.request_sequence_number, incoming.request_sequence_number) == (0xFFFF_FFFF, 0)
    packets = peer.ask(outgoing, incoming)
    assert results_of(packets) == [(0xFFFF_FFFF, PERFORMED)]
    assert [each.response_sequence_number for each in outgoing_of(packets)] == [0]


def test_the_second_of_two_requests_has_the_next_number() -> None:
    """X53, S06: two requests under one number are not two requests."""
    peer = in_use()
    outgoing = peer.outgoing(1)
    peer.next_request = outgoing.request_sequence_number
    incoming = peer.incoming(1)
    results = results_of(peer.ask(outgoing, incoming))
    assert results[0] == (outgoing.request_sequence_number, PERFORMED)
    assert outgoing_of(peer.heard) == [] or results[1:] == []
    check_association(peer.association)


def test_the_answer_to_a_retransmission_is_of_the_size_it_was() -> None:
    """X06, S06: an SSN/TSN response repeated is 20 bytes, every other 12."""
    peer = in_use()
    for request, size in ((peer.outgoing(1), 12), (peer.ssn_tsn(), 20), (peer.add_outgoing(1), 12)):
        for _ in range(2):
            (response,) = responses_of(peer.ask(request))
            assert len(response.encode()) == size
            if isinstance(request, SsnTsnResetRequest):
                peer.next_tsn = response.receiver_next_tsn or 0
