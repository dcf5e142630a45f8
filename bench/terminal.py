"""A program in a pseudo-terminal, watched from outside: when a text was painted, what it cost. Nothing inside it is asked."""

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
from types import TracebackType

ROWS, COLUMNS = 55, 200
_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78])")
_PLACED = re.compile(rb"\x1b\[(\d+);(\d+)H")
_TICKS = os.sysconf("SC_CLK_TCK")


class Late(Exception):
    """What was waited for did not appear in time."""


class Terminal:
    """One run of ``argv`` at 200×55. Times are seconds by the monotonic clock; `started` is just before the fork."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.output = bytearray()
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environment or {}))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execvp(argv[0], list(argv))
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

    def send(self, keys: bytes) -> float:
        """Type ``keys``; returns the instant just before."""
        now = time.perf_counter()
        os.write(self._fd, keys)
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
        self.output += chunk
        return bool(chunk)

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self.output.clear()

    def text(self) -> bytes:
        """What was painted, in the order it was, without escape sequences."""
        return _ESCAPES.sub(b"", bytes(self.output))

    def wait_text(self, text: str, limit: float = 60.0) -> float:
        """The instant at which ``text`` had been painted. Raises Late."""
        wanted = text.encode()
        end = time.perf_counter() + limit
        while wanted not in self.text():
            left = end - time.perf_counter()
            if left <= 0:
                raise Late(f"{text!r} was not painted within {limit:g} s; last: {self.text()[-300:]!r}")
            self.read(min(left, 0.5))
        return time.perf_counter()

    def wait_style(self, style: bytes, row_other_than: int, limit: float = 10.0) -> tuple[float, int]:
        """When a run of ``style`` (an SGR fragment) was painted on another row, and that row. Raises Late."""
        end = time.perf_counter() + limit
        while True:
            for found in re.finditer(re.escape(style), bytes(self.output)):
                placed = list(_PLACED.finditer(self.output, 0, found.start()))
                if placed and int(placed[-1][1]) != row_other_than:
                    return time.perf_counter(), int(placed[-1][1])
            left = end - time.perf_counter()
            if left <= 0:
                raise Late(f"the cursor was not painted within {limit:g} s")
            self.read(min(left, 0.5))

    def drain(self, quiet: float = 0.3, limit: float = 10.0) -> None:
        """Wait until nothing is painted for ``quiet`` seconds, at most ``limit``."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end and self.read(quiet):
            continue

    def idle(self, seconds: float) -> None:
        """Let it run, reading what it paints so that it never blocks."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(min(left, 0.5))
            self.forget()

    def cpu(self) -> float:
        """Processor seconds used so far, by the program alone."""
        with open(f"/proc/{self.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> int:
        """Resident bytes now."""
        with open(f"/proc/{self.pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise Late("the program is gone")
