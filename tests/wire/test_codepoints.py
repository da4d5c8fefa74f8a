from __future__ import annotations

import pytest

from aiosctp.wire.codepoints import (
    PARAMETER_TYPE_BITS,
    CauseCode,
    ChunkType,
    ParameterType,
    ReconfigurationResult,
    report_unrecognized,
    stop_processing,
)


def test_chunk_types_are_those_of_table_1_and_of_the_extensions() -> None:
    assert [(type.value, type.name) for type in ChunkType] == [
        (0, "DATA"),
        (1, "INIT"),
        (2, "INIT_ACK"),
        (3, "SACK"),
        (4, "HEARTBEAT"),
        (5, "HEARTBEAT_ACK"),
        (6, "ABORT"),
        (7, "SHUTDOWN"),
        (8, "SHUTDOWN_ACK"),
        (9, "ERROR"),
        (10, "COOKIE_ECHO"),
        (11, "COOKIE_ACK"),
        (14, "SHUTDOWN_COMPLETE"),
        (16, "NR_SACK"),
        (64, "I_DATA"),
        (130, "RE_CONFIG"),
        (132, "PAD"),
        (192, "FORWARD_TSN"),
        (194, "I_FORWARD_TSN"),
    ]


def test_parameter_types_are_those_of_tables_6_8_and_9_and_of_the_extensions() -> None:
    of_init_and_heartbeat = {1, 5, 6, 7, 8, 9, 11, 12, 0x8005, 0x8008, 0xC000, 0xC006}
    assert {type.value for type in ParameterType} == of_init_and_heartbeat | set(range(13, 19))


def test_results_are_those_of_table_3_of_rfc_6525() -> None:
    assert [result.name for result in ReconfigurationResult] == [
        "NOTHING_TO_DO",
        "PERFORMED",
        "DENIED",
        "WRONG_SSN",
        "REQUEST_IN_PROGRESS",
        "BAD_SEQUENCE_NUMBER",
        "IN_PROGRESS",
    ]
    assert [result.value for result in ReconfigurationResult] == list(range(7))


def test_cause_codes_are_those_of_table_11_and_the_encapsulation_draft() -> None:
    assert [code.value for code in CauseCode] == list(range(1, 15))


@pytest.mark.parametrize(
    ("high_bits", "stop", "report"),
    [(0b00, True, False), (0b01, True, True), (0b10, False, False), (0b11, False, True)],
)
def test_the_two_high_bits_say_what_to_do_with_an_unknown_type(high_bits: int, stop: bool, report: bool) -> None:
    for rest in (0, 0x2A, 0x3F):
        chunk_type = high_bits << 6 | rest
        assert stop_processing(chunk_type) is stop
        assert report_unrecognized(chunk_type) is report
        # The low byte looks the other way, so that a mix-up of the widths shows.
        parameter_type = high_bits << 14 | (~high_bits & 3) << 6 | rest
        assert stop_processing(parameter_type, PARAMETER_TYPE_BITS) is stop
        assert report_unrecognized(parameter_type, PARAMETER_TYPE_BITS) is report
