"""Key words are counted as a reader counts them: whole ones, each in the section it stands in."""

from __future__ import annotations

from pathlib import Path

from .keywords import KEYWORDS_PATH, Section, dump_keywords, load_keywords, renew, sections_of

TEXT = """\
Table of Contents

   1.  Beginning
     1.1.  A Long Heading

1.  Beginning

   One MUST, one
   MUST
   NOT, a RECOMMENDED, a MAY, and a MUSTARD.

1.1.  A Long Heading of COOKIE-
      ECHOED (Item B)

   A SHOULD and a SHOULD



Somebody & Another           Standards Track                    [Page 6]
\f
RFC 6951            UDP Encapsulation of SCTP Packets           May 2013


   NOT over the end of a page.  A MUST.  NOT this.

2.  Nothing

   must not; should.

3.  "MUST NOT" Quoted

   The key words "MUST", "MUST NOT" are these.

3.1 A Heading without Its Last Dot

   It SHOULD count.

Appendix A.  The Last

   It MUST be here.

Authors' Addresses
"""

SECTIONS = (
    Section("1", "Beginning", ("MUST", "MUST NOT")),
    Section("1.1", "A Long Heading of COOKIE-ECHOED (Item B)", ("SHOULD", "SHOULD NOT", "MUST")),
    Section("3", '"MUST NOT" Quoted', ("MUST", "MUST NOT")),
    Section("3.1", "A Heading without Its Last Dot", ("SHOULD",)),
    Section("A", "The Last", ("MUST",)),
)


def test_each_key_word_belongs_to_the_deepest_section_above_it() -> None:
    assert tuple(sections_of(TEXT)) == SECTIONS


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "keywords.toml"
    many = Section("8.3", "Path Heartbeat", ("SHOULD NOT", "MUST NOT", "SHOULD", "MUST") * 9)
    path.write_text(dump_keywords({"rfc9260": [*SECTIONS[:2], many], "rfc6951": [SECTIONS[-1]]}), encoding="utf-8")
    assert load_keywords(path) == {"rfc9260": (*SECTIONS[:2], many), "rfc6951": (SECTIONS[-1],)}
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120


def test_counting_one_rfc_keeps_the_others(tmp_path: Path) -> None:
    path, text = tmp_path / "keywords.toml", tmp_path / "rfc1.txt"
    path.write_text(dump_keywords({"rfc2": [SECTIONS[-1]]}), encoding="utf-8")
    text.write_text("1.  Only\n\n   It MUST.\n", encoding="utf-8")
    renew(text, path)
    assert load_keywords(path) == {"rfc1": (Section("1", "Only", ("MUST",)),), "rfc2": (SECTIONS[-1],)}


def test_the_projects_table_is_as_it_was_written_and_counts_as_the_rfcs_do() -> None:
    """These were counted apart from this program, over the texts with every page break and line end removed."""
    table = load_keywords()
    assert KEYWORDS_PATH.read_text(encoding="utf-8") == dump_keywords(table)
    assert {rfc: sum(len(section.keywords) for section in table[rfc]) for rfc in table} == {
        "rfc9260": 555,
        "rfc8899": 55,
        "rfc8260": 42,
        "rfc7496": 6,
        "rfc6951": 26,
        "rfc6525": 110,
        "rfc4820": 14,
        "rfc3758": 68,
    }
