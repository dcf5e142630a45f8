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
        self._painted += _ESCAPES.sub(b"", data)
        return True

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self._painted.clear()

    @property
    def text(self) -> str:
        """What was painted since `forget`, in the order it was, without escape sequences."""
        return self._painted.decode(errors="replace")

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

    def settle(self, quiet: float = 0.3, limit: float = 10.0) -> None:
        """Wait until nothing is painted for ``quiet`` seconds, at most ``limit``."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end and self.read(quiet):
            continue
        self.forget()

    def idle(self, seconds: float) -> None:
        """Let it run, reading what it paints so that it never blocks."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(min(left, 0.5))
            self.forget()

    def processor(self) -> float:
        """Processor seconds used so far by the program itself and by the children it has waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11:15]) / _TICKS

    def resident(self) -> int:
        """Resident bytes now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
