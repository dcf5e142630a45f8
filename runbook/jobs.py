"""Commands that go on without us: each leaves what it says in a private directory, under the name of its act.

Whether one still runs is told by a lock on its output, which lasts for as long as the command holds it open, whoever
started it. So a console that comes after a crash finds out, and a process number that was given again deceives nobody.
Starting one is for `runbook.hands` alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import msgspec

MOST_OUTPUT = 16 * 1024  # bytes of the end of an output that are read


class Job:
    """One command's directory; it may not exist. What goes wrong with reading it counts as "not there"."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pid: int | None = None  # of a child of ours that nobody has waited for

    def begun(self, pid: int) -> None:
        """It runs, as a child of this process."""
        self._pid = pid
        self._keep("pid", str(pid))

    # ------------------------------------------------------------------ what is known of it

    @property
    def known(self) -> bool:
        """Whether it was started, as far as anybody got to write that down."""
        return self.stdout.exists()

    @property
    def running(self) -> bool:
        if self._pid is not None:
            self._reap(self._pid)
            return self._pid is not None
        return self._locked()

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None if it runs, or nobody was there to hear it."""
        if self.running:
            return None
        try:
            return int((self.directory / "status").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    @property
    def command(self) -> list[str]:
        try:
            return msgspec.json.decode((self.directory / "command").read_bytes(), type=list[str])
        except (OSError, msgspec.DecodeError):
            return []

    @property
    def stdout(self) -> Path:
        return self.directory / "stdout"

    @property
    def stderr(self) -> Path:
        return self.directory / "stderr"

    def said(self, most: int = 20) -> list[str]:
        """The last lines of what it printed that are not empty: stdout's, then stderr's."""
        lines = [line.strip() for path in (self.stdout, self.stderr) for line in _end_of(path).splitlines()]
        return [line for line in lines if line][-most:]

    @property
    def complaint(self) -> str:
        """What stderr ends with, in one line: from the last ``Error:`` on, or the last line; empty if it is empty."""
        lines = [line.strip() for line in _end_of(self.stderr).splitlines() if line.strip()]
        errors = [number for number, line in enumerate(lines) if line.startswith("Error:")]
        return "; ".join(lines[errors[-1] if errors else -1 :])

    @property
    def size(self) -> int:
        """Bytes that it has printed so far."""
        return sum(path.stat().st_size for path in (self.stdout, self.stderr) if path.exists())

    @property
    def began_at(self) -> float | None:
        """Epoch seconds; None if it was never started."""
        try:
            return (self.directory / "command").stat().st_mtime
        except OSError:
            return None

    @property
    def ours(self) -> bool:
        """Whether it runs as a child of this process."""
        return self.running and self._pid is not None

    def end(self, signal: int) -> None:
        """Send a signal to it and to what it has started, if it is a child of ours that still runs."""
        if self.ours and self._pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal)  # it leads a session, and so a group, of its own

    @property
    def ends(self) -> tuple[str, str]:
        """The end of stdout and of stderr, each with a first line that says how much is missing before it."""
        return _told_end(self.stdout), _told_end(self.stderr)

    # ------------------------------------------------------------------ finding out

    def _reap(self, pid: int) -> None:
        try:
            ended, waited = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # somebody else waited for it
            self._pid = None
            return
        if ended:
            self._pid = None
            self._keep("status", str(os.waitstatus_to_exitcode(waited)))

    def _locked(self) -> bool:
        try:
            descriptor = os.open(self.stdout, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def _keep(self, name: str, text: str) -> None:
        """Written whole or not at all; a disk that is full costs the note, not the act."""
        part = self.directory / f"{name}.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
            part.replace(self.directory / name)
        except OSError:
            return


class Jobs:
    """All of them. ``directory`` is made (0700) when the first one starts; default: in the user's state directory."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._ours: dict[str, Job] = {}

    @property
    def directory(self) -> Path:
        if self._directory is None:
            import platformdirs

            self._directory = platformdirs.user_state_path("warroom", appauthor=False) / "acts"
        return self._directory

    def of(self, act: str) -> Job:
        """The command of an act, whether it was ever started or not."""
        if act not in self._ours:
            self._ours[act] = Job(self.directory / act)
        return self._ours[act]


def _told_end(path: Path) -> str:
    try:
        before = path.stat().st_size - MOST_OUTPUT
    except OSError:
        return ""
    return (f"… {before:,} bytes are not kept …\n" if before > 0 else "") + _end_of(path)


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_OUTPUT))
            return file.read(MOST_OUTPUT).decode("utf-8", "replace")
    except OSError:
        return ""
