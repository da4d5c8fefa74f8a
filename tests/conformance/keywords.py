"""What an RFC requires, counted: its capitalised key words by section, read from its text and kept in `keywords.toml`.

The RFC's text is not kept here. `python -m tests.conformance --count PATH/rfc9260.txt` reads it and renews the table.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"]
LEVELS: tuple[Level, ...] = get_args(Level)

KEYWORDS_PATH = Path(__file__).with_name("keywords.toml")

# "MUST" at the end of a line and "NOT" at the start of the next are one key word.
KEYWORD = re.compile(r"\b(?P<word>MUST|SHOULD)\b(?P<negated>\s+NOT\b)?")
# Only a heading stands in the first column; the table of contents and the prose are indented. RFC 3758 leaves out
# the last dot of "3.2 Forward Cumulative TSN Chunk Definition".
HEADING = re.compile(r"(?:Appendix )?(?P<number>(?:[A-Z]|\d+)(?=\.)(?:\.\d+)*)\.? +(?P<title>\S.*)")
FOOTER = re.compile(r"\S.*\[Page \d+\]$")
PAGE_HEADER = re.compile(r"RFC \d+ .* \w+ \d{4}$")

FILE_HEADER = """\
# The key words MUST, MUST NOT, SHOULD and SHOULD NOT of each RFC, by the deepest numbered section that holds them,
# in reading order. Written by `python -m tests.conformance --count PATH/rfc9260.txt` from the RFC's text.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered section that requires something: its number, its title, and its key words in reading order."""

    number: str
    title: str
    keywords: tuple[Level, ...]


# --- from the RFC's text ---------------------------------------------------------------------------------


def sections_of(text: str) -> Iterator[Section]:
    """The sections of an RFC's text that hold key words. A sub-section's words are not its parent's too."""
    for number, paragraphs in _by_heading(_without_page_breaks(text)):
        title, _, body = "\n".join(paragraphs).partition("\n\n")
        if keywords := _keywords(body):
            yield Section(number, _joined(title), keywords)


def _by_heading(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The number of each section and its lines, which begin with the title."""
    number, section = "", list[str]()
    for line in lines:
        if heading := HEADING.match(line):
            if number:
                yield number, section
            number, section = heading["number"], [heading["title"]]
        else:
            section.append(line)
    if number:
        yield number, section


def _joined(title: str) -> str:
    """A title on one line; "COOKIE-" goes on without a space."""
    return " ".join(title.split()).replace("- ", "-")


def _without_page_breaks(text: str) -> Iterator[str]:
    """The lines without the footers and headers of pages: one may stand between a MUST and its NOT."""
    for line in text.replace("\f", "").splitlines():
        if not FOOTER.match(line) and not PAGE_HEADER.match(line):
            yield line


def _keywords(body: str) -> tuple[Level, ...]:
    return tuple(_level(match) for match in KEYWORD.finditer(body))


def _level(match: re.Match[str]) -> Level:
    if match["word"] == "MUST":
        return "MUST NOT" if match["negated"] else "MUST"
    return "SHOULD NOT" if match["negated"] else "SHOULD"


# --- the table -------------------------------------------------------------------------------------------


def load_keywords(path: Path = KEYWORDS_PATH) -> dict[str, tuple[Section, ...]]:
    """RFC ("rfc9260") to its sections in order; empty when there is no table yet."""
    if not path.exists():
        return {}
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        rfc: tuple(Section(row["section"], row["title"], tuple(row["keywords"])) for row in rows)
        for rfc, rows in document.items()
    }


def dump_keywords(table: Mapping[str, Iterable[Section]]) -> str:
    """The file's text for `table`, the same for the same sections."""
    lines = [FILE_HEADER.rstrip("\n")]
    for rfc, sections in table.items():
        for section in sections:
            lines += ["", f"[[{rfc}]]", f'section = "{section.number}"', f"title = {json.dumps(section.title)}"]
            lines += _keyword_lines(section.keywords)
    return "\n".join(lines) + "\n"


def _keyword_lines(keywords: tuple[Level, ...]) -> list[str]:
    row = f"keywords = {_quoted(keywords)}"
    if len(row) <= 120:
        return [row]
    # A key word of two words stays on its line.
    filled = textwrap.wrap(_quoted(keywords)[1:-1].replace("T N", "T\0N").replace("D N", "D\0N"), 112)
    return ["keywords = [", *("    " + line.replace("\0", " ") for line in filled), "]"]


def _quoted(keywords: tuple[Level, ...]) -> str:
    return "[" + ", ".join(f'"{keyword}"' for keyword in keywords) + "]"


def renew(text_path: Path, path: Path = KEYWORDS_PATH) -> tuple[Section, ...]:
    """Read the RFC's text at `text_path` (named rfc9260.txt or so) and put its sections into the table."""
    sections = tuple(sections_of(text_path.read_text(encoding="utf-8")))
    table = load_keywords(path) | {text_path.stem: sections}
    path.write_text(dump_keywords(dict(sorted(table.items(), reverse=True))), encoding="utf-8")
    return sections
