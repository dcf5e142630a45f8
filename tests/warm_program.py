"""The program without its imports: a process that has them all already, and forks for each command.

Half a second of each command is Python's imports, and this suite runs two hundred. A forked one is a process as any
other: its own environment, directory, streams and session, an exit status, signals. What has to be true of the imports
themselves (which of them, in which order, how late) is asked of programs that start by themselves: see
`tests.unit.test_start` and `tests.unit.test_cli`.

Run as a program, this is the server: on its standard input comes, for each command, a socket with one message of JSON
and the three streams, and on that socket go back the new process's id and, at its end, its status as `os.waitpid` has.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

ROOT = Path(__file__).parent.parent
NUMBER = struct.Struct("q")
MOST = 1 << 20

LATER = (
    *("aiosqlite", "jinja2", "msgspec", "platformdirs", "textual.app", "yaml"),
    *("drill.platform", "tui.app", "tui.room", "tui.screens.console"),
)
"""What commands import when they need it."""


class Started:
    """A command that runs: its process's id, and its end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = self._number()

    def wait(self, limit: float = 60.0) -> int:
        """Its exit status, once it has ended; a signal is its negative number. It is killed after ``limit`` seconds."""
        self._connection.settimeout(limit)
        with self._connection:
            try:
                return os.waitstatus_to_exitcode(self._number())
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                raise

    def ended(self) -> bool:
        """Whether `wait` has returned, or would at once."""
        if self._connection.fileno() < 0:
            return True
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        if not self.ended():
            os.kill(self.pid, number)

    def _number(self) -> int:
        found: int = NUMBER.unpack(self._connection.recv(NUMBER.size, socket.MSG_WAITALL))[0]
        return found


@dataclass(frozen=True)
class Done:
    """What a command without a terminal had to say."""

    status: int
    out: str
    err: str


def done(arguments: Sequence[str], environ: Mapping[str, str], limit: float = 60.0) -> Done:
    """Run one command to its end, at most ``limit`` seconds, with nothing on its standard input."""
    with tempfile.TemporaryFile() as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = start(arguments, environ, (nothing.fileno(), out.fileno(), err.fileno())).wait(limit)
        said = [file.read().decode() for file in (out, err) if file.seek(0) == 0]
    found = Done(status, *said)
    assert "Traceback" not in found.out + found.err
    return found


def start(
    arguments: Sequence[str], environ: Mapping[str, str], streams: tuple[int, int, int], directory: Path = ROOT
) -> Started:
    """``warroom ARGUMENTS`` with this environment and these descriptors as its streams.

    A terminal as its standard input becomes the command's own.
    """
    ours, theirs = socket.socketpair()
    message = json.dumps({"arguments": arguments, "environ": dict(environ), "directory": str(directory)}).encode()
    with theirs:
        socket.send_fds(_server(), [b"."], [theirs.fileno()])
    socket.send_fds(ours, [message], list(streams))
    return Started(ours)


_running: list[socket.socket] = []


def _server() -> socket.socket:
    """The one of this process, which ends with it."""
    if not _running:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_program"], cwd=ROOT, stdin=theirs.fileno(), start_new_session=True
            )
        _running.append(ours)

        @atexit.register
        def _end() -> None:
            ours.close()
            process.wait()

    return _running[0]


def _serve() -> None:
    """Until the process that asks has gone. A keeper beside each command waits for it and tells its status."""
    requests = socket.socket(fileno=os.dup(0))
    while True:
        word, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        while _ended_keeper():
            pass
        if not word:
            break
        connection = socket.socket(fileno=descriptors[0])
        if os.fork() == 0:
            requests.close()
            _keep(connection)
        connection.close()
    while _ended_keeper(0):
        pass


def _ended_keeper(how: int = os.WNOHANG) -> bool:
    try:
        return os.waitpid(-1, how)[0] != 0
    except ChildProcessError:
        return False


def _keep(connection: socket.socket) -> NoReturn:
    message, streams, _, _ = socket.recv_fds(connection, MOST, 3)
    asked = json.loads(message)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(asked["arguments"], asked["environ"], asked["directory"], streams)
    for stream in streams:
        os.close(stream)
    connection.sendall(NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    connection.sendall(NUMBER.pack(status))
    os._exit(0)


def _become(arguments: Sequence[str], environ: Mapping[str, str], directory: str, streams: Sequence[int]) -> NoReturn:
    """From here on this process is what ``python -m tui.cli ARGUMENTS`` would be."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(len(streams), os.sysconf("SC_OPEN_MAX"))
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = (  # type: ignore[misc]
        _text(0, "r"),
        _text(1, "w"),
        _text(2, "w"),
    )
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv = [str(ROOT / "tui" / "cli.py"), *arguments]
    from tui.cli import main

    try:
        status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)  # to take apart what was imported would mean to copy it first


def _text(descriptor: int, mode: Literal["r", "w"]) -> io.TextIOWrapper:
    """As Python opens a standard stream: lines at once to a person and on stderr, the rest when there is much of it."""
    whole = open(descriptor, f"{mode}b", closefd=False)  # noqa: SIM115  # it is there as long as the process
    by_line = descriptor == 2 or whole.isatty()
    return io.TextIOWrapper(whole, "utf-8", "backslashreplace" if descriptor == 2 else "strict", line_buffering=by_line)


if __name__ == "__main__":
    import tui.commands
    from tui.commands.console import FRAMES

    os.environ["TEXTUAL_FPS"] = FRAMES
    for name in (*(f"tui.commands.{module.name}" for module in pkgutil.iter_modules(tui.commands.__path__)), *LATER):
        importlib.import_module(name)
    gc.freeze()  # what is shared with the commands is not to be written to
    _serve()
