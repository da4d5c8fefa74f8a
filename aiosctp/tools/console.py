"""What the command prints: lines that say who speaks, and a progress bar where there is a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

LABEL_WIDTH = 14
MIB = 1024 * 1024

_STYLES = {"server": "magenta", "client": "cyan"}

console: Console = Console(highlight=False)


def say(label: str, text: str, style: str = "") -> None:
    """One line: a label that names the speaker or the thing, then the text as it is."""
    line = Text(f"{label:<{LABEL_WIDTH}}", style=_STYLES.get(label, "bold"))
    line.append(text, style=style)
    # Never wrapped: a line is what another program reads when there is no terminal.
    console.print(line, soft_wrap=True)


class Meter:
    """The progress of a transfer of `total` bytes: a bar, or a line for each quarter where nobody watches one."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (BarColumn(None), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, size: int) -> None:
        """Count `size` more bytes."""
        quarters = 4 * self._done // self._total
        self._done += size
        if self._bar is not None:
            self._bar.advance(self._task, size)
        elif 4 * self._done // self._total > quarters:
            say("progress", f"{self._done / MIB:.1f} of {self._total / MIB:.1f} MiB")
