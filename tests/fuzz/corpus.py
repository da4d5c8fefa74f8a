"""The seed corpora: a file for each target, an input on each line, in hex."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "corpus"


def load(target: str) -> list[bytes]:
    path = _DIRECTORY / f"{target}.hex"
    lines = path.read_text().splitlines() if path.exists() else []
    return [bytes.fromhex(line) for line in lines]


def save(target: str, inputs: Iterable[bytes]) -> None:
    lines = "".join(f"{data.hex()}\n" for data in sorted(inputs, key=lambda data: (len(data), data)))
    (_DIRECTORY / f"{target}.hex").write_text(lines)


def unpack(target: str, directory: Path) -> None:
    """Each input as a file, as fuzzers want them."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(load(target)):
        (directory / f"seed-{number:03}").write_bytes(data)
