"""The console as its user starts it: a process of its own in a pseudo-terminal, and what it leaves behind there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.warm_program import start

ROWS, COLUMNS = 55, 200
PATIENCE = 60.0
"""Seconds until something that was waited for is given up."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()][0-9A-Z]|[=>78])"
)
_INSIDE, _OUTSIDE = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """``warroom ARGUMENTS`` in a terminal of 200×55, with a home directory of its own. `end` gives the exit status."""

    def __init__(self, home: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
        given = {
            **kept,
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        }
        self._raw = b""
        self._status: int | None = None
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._program = start(arguments, given, (theirs, theirs, theirs), home)
        os.close(theirs)
        self._before = termios.tcgetattr(self._fd)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is None:
            self._program.kill()
            self._program.wait()
        self.close()

    # What it does.

    @property
    def output(self) -> str:
        """Everything it wrote, escape sequences included."""
        return self._raw.decode(errors="replace")

    @property
    def text(self) -> str:
        """What it wrote, in that order, without the escape sequences."""
        return _ESCAPES.sub("", self.output)

    @property
    def last_words(self) -> list[str]:
        """The lines on the terminal's own screen: what a person reads when the program is gone."""
        outside = self.output.rpartition(_OUTSIDE)[2]
        return [line.rstrip() for line in _ESCAPES.sub("", outside).splitlines() if line.strip()]

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def kill(self, number: signal.Signals) -> None:
        self._program.kill(number)

    def close(self) -> None:
        """Close the terminal's window."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def says(self, part: str, limit: float = PATIENCE) -> None:
        """Wait until it has written ``part``."""
        self._until(lambda: part in self.text, f"{part!r}", limit)

    def end(self, limit: float = PATIENCE) -> int:
        """Wait until it has ended. A signal is its negative number."""
        self._until(self._ended, "the end", limit)
        while self._fd >= 0 and self._read(0):
            pass
        assert self._status is not None
        return self._status

    def ends_within(self, limit: float) -> bool:
        """Whether it ends within so many seconds."""
        end = time.monotonic() + limit
        while not self._ended() and time.monotonic() < end:
            self._read(0.05)
        return self._ended()

    # What it leaves.

    def check_restored(self) -> None:
        """The terminal is as it was: its own screen, echo and line editing, a cursor, no mouse reports."""
        written = self.output
        assert written.count(_INSIDE) == written.count(_OUTSIDE)
        for mode in ("1000", "1003", "1006", "2004"):
            assert written.rfind(f"\x1b[?{mode}h") <= written.rfind(f"\x1b[?{mode}l"), mode
        assert written.rfind("\x1b[?25l") <= written.rfind("\x1b[?25h")
        assert termios.tcgetattr(self._fd)[:4] == self._before[:4]

    def children(self) -> list[int]:
        """The processes that it started and that run."""
        pid = self._program.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [int(pid) for pid in found]

    def _ended(self) -> bool:
        if self._status is None and self._program.ended():
            self._status = self._program.wait()
        return self._status is not None

    def _until(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {limit:g} s; last: {self.text[-2000:]!r}"
            self._read(0.05)

    def _read(self, limit: float) -> bool:
        if self._fd < 0:
            time.sleep(limit)
            return False
        ready, _, _ = select.select([self._fd], [], [], limit)
        try:
            chunk = os.read(self._fd, 1 << 16) if ready else b""
        except OSError:  # nobody has the other end open any more
            time.sleep(min(limit, 0.01))
            return False
        self._raw += chunk
        return bool(chunk)


def gone(pid: int, limit: float = PATIENCE) -> bool:
    """Whether a process that is not ours to wait for ends within ``limit`` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            state = (
                Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
            )
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
