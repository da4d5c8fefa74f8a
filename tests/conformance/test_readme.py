"""The README's block is replaced between its markers, and only there."""

from __future__ import annotations

import pytest

from .features import Feature, FeatureTable
from .readme import BEGIN, END, MarkersMissingError, replace_summary, summary

TABLE = FeatureTable(
    {"M": "Chunks", "A": "Calls"},
    (
        Feature("M01", "DATA", "RFC 9260 §3.3.1", "done", ("tests/wire/test_chunks.py::test_data",)),
        Feature("M02", "INIT", "RFC 9260 §3.3.2", "planned"),
        Feature("A01", "bind()", "RFC 6458 §3.1.2", "planned"),
    ),
)


def test_the_summary_counts_each_group_and_all() -> None:
    assert summary(TABLE).splitlines()[2:] == [
        "| Group | Rows | Done | Planned |",
        "| --- | --- | ---: | ---: |",
        "| Chunks | M01–M02 | 1 | 1 |",
        "| Calls | A01–A01 | 0 | 1 |",
        "| **All** | | **1** | **2** |",
    ]


def test_the_block_is_replaced_and_the_rest_kept() -> None:
    readme = f"# Title\n\n{BEGIN}\nold\n{END}\n\nthe end without a newline"
    written = replace_summary(readme, TABLE)
    assert written == f"# Title\n\n{BEGIN}\n{summary(TABLE)}{END}\n\nthe end without a newline"
    assert replace_summary(written, TABLE) == written


@pytest.mark.parametrize("readme", ["", BEGIN, END, f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_a_readme_without_its_markers_is_refused(readme: str) -> None:
    with pytest.raises(MarkersMissingError, match=BEGIN):
        replace_summary(readme, TABLE)
