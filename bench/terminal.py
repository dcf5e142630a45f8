"""A program in a pseudo-terminal, watched from outside: when a text was painted, what it cost. It is never asked."""

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROWS, COLUMNS = 55, 200
_ESCAPE = rb"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()][0-9A-Za-z]|[=>78])"
_ESCAPES = re.compile(_ESCAPE)
_PLACED = re.compile(rb"\x1b\[(\d+);\d+H")
_ROW = re.compile(rb"\x00(\d+)\x00")  # stands for "the cursor was placed on this row" in what was painted
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Late(Exception):
    """What was waited for did not appear in time."""


class Terminal:
    """One run of ``argv`` at 200×55. Times are seconds by the monotonic clock; `started` is just before the fork."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._painted = bytearray()
        self._rest = b""  # an escape sequence of which the end has not come yet
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environment or {}))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execvp(argv[0], list(argv))  # noqa: S606  # the program to measure
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGTERM)
        end = time.perf_counter() + 5
        while time.perf_counter() < end:
            self.read(0.05)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def send(self, keys: str) -> float:
        """Type ``keys``; returns the instant just before."""
        now = time.perf_counter()
        os.write(self._fd, keys.encode())
        return now

    def read(self, limit: float) -> bool:
        """Take what comes within ``limit`` seconds, at most one chunk. False when nothing came."""
        ready, _, _ = select.select([self._fd], [], [], limit)
        if not ready:
            return False
        try:
            chunk = os.read(self._fd, 1 << 16)
        except OSError:  # the program is gone
            time.sleep(min(limit, 0.01))
            return False
        data = self._rest + chunk
        # Only what is new is looked at, so that watching costs little beside what is watched.
        last = data.rfind(b"\x1b")
        whole = last < 0 or _ESCAPES.match(data, last) is not None or len(data) - last > 4096
        data, self._rest = (data, b"") if whole else (data[:last], data[last:])
        self._painted += _ESCAPES.sub(b"", _PLACED.sub(b"\x00\\1\x00", data))
        return True

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self._painted.clear()

    @property
    def text(self) -> str:
        """What was painted since `forget`, in the order it was, without escape sequences."""
        return _ROW.sub(b"", self._painted).decode(errors="replace")

    def wait(self, text: str, limit: float = 60.0) -> float:
        """The instant at which ``text`` had been painted. Raises Late."""
        wanted = text.encode()
        end = time.perf_counter() + limit
        seen = 0
        while self._painted.find(wanted, max(seen - len(wanted), 0)) < 0:
            seen = len(self._painted)
            left = end - time.perf_counter()
            if left <= 0:
                raise Late(f"{text!r} was not painted within {limit:g} s; last: {self.text[-500:]!r}")
            self.read(min(left, 0.5))
        return time.perf_counter()

    def row_of(self, mark: str) -> int | None:
        """The row on which ``mark`` was painted last since `forget`, None if it was not."""
        row, found = 1, None
        for number, part in enumerate(_ROW.split(bytes(self._painted))):
            if number % 2:
                row = int(part)
                continue
            for line in part.split(b"\n"):
                if mark.encode() in line:
                    found = row
                row += 1
            row -= 1
        return found

    def wait_elsewhere(self, mark: str, row: int | None, limit: float = 10.0) -> tuple[float, int]:
        """When ``mark`` had been painted on another row than ``row``, and on which. Raises Late."""
        end = time.perf_counter() + limit
        while (now := self.row_of(mark)) is None or now == row:
            left = end - time.perf_counter()
            if left <= 0:
                raise Late(f"{mark!r} stayed on row {row} for {limit:g} s")
            self.read(min(left, 0.5))
        return time.perf_counter(), now

    def idle(self, seconds: float) -> None:
        """Let it run, reading what it paints so that it never blocks, and forget what that was."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(min(left, 0.5))
        self.forget()

    def processor(self) -> float:
        """See the function of that name, for this program."""
        return processor(self.pid)

    def resident(self) -> int:
        """See the function of that name, for this program."""
        return resident(self.pid)


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used, those of its children that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def resident(pid: int) -> int:
    """Bytes of its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
