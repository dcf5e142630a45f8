"""The embedded platform as a child process: started at once, waited for later, gone when we are.

The console paints while it starts, so `start` only spawns and `ready` reads its first line off the event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from incident.practice import Good

READY_SECONDS = 60.0  # ten thousand pods take a while on a busy machine
STOP_SECONDS = 3.0
STDERR_TAIL = 2000
SEALED_LIMIT = 256 * 1024
"""Bytes of what a platform says packed, unpacked."""


class DrillFailed(Exception):
    """The platform did not come up. ``str(error)`` is one sentence, with the last thing the child said."""


@dataclass(frozen=True, slots=True)
class DrillReady:
    """Where the platform is: a kubeconfig and a settings file like any other, and the incident it simulates.

    ``good`` is what a good response would be; None: the scenario does not say. Of a ``surprise`` nobody says what
    scenario it is before it is over; who practises declares it, so that its title and severity mean nothing.
    """

    kubeconfig: Path
    config: Path
    urls: dict[str, str]
    scenario: str
    title: str
    severity: int | None
    good: Good | None = None
    context: str = ""  # of the kubeconfig; empty: the settings' own
    seed: int = 0
    surprise: bool = False


WRONG = (ValueError, KeyError, TypeError, AttributeError, zlib.error)
"""What `announced` raises of what no platform says."""


def announced(said: dict[str, Any], directory: Path = Path(), context: str = "") -> DrillReady:
    """What a platform says of itself and of its drill; its paths are relative to ``directory``.

    Raises one of `WRONG`, or `incident.practice.NotGood`.
    """
    from incident.practice import read_good

    told: dict[str, Any] = said
    if "sealed" in said:
        unpacked = zlib.decompressobj().decompress(bytes.fromhex(said["sealed"]), SEALED_LIMIT)
        told = said | json.loads(unpacked)
    return DrillReady(
        kubeconfig=directory / said["kubeconfig"],
        config=directory / said["config"],
        urls=dict(said.get("urls") or {}),
        scenario=str(told["scenario"]),
        title=str(said["incident"]["title"]),
        severity=said["incident"]["severity"],
        good=read_good(told["good"]),
        context=context,
        seed=int(told.get("seed") or 0),
        surprise=bool(said.get("surprise")),
    )


class DrillProcess:
    """One platform. ``arguments`` are those of ``python -m drill.serve``.

    The child holds the other end of a pipe and ends with it, however we end. It has a session of its own so
    that a Ctrl-C meant for the console does not reach it.
    """

    shared = False
    """Nobody else practises on it."""

    def __init__(self, scenario: str, arguments: Sequence[str] = ()) -> None:
        """``scenario`` is the name of one that ships, or a file's; empty where the arguments have ``--surprise``."""
        self._arguments = ("--with-parent", *(("--scenario", scenario) if scenario else ()), *arguments)
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._ready: DrillReady | None = None

    def __enter__(self) -> DrillProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Spawn the child and return at once. Raises DrillFailed if that is not possible."""
        # A file, not a pipe: nobody has to drain it, and its tail is there when the child is not.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed in stop()
        try:
            self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-P", "-m", "drill.serve", *self._arguments],  # -P: nothing of where we are started
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise DrillFailed(f"cannot start the drill's platform: {error}") from error

    async def ready(self, limit: float = READY_SECONDS) -> DrillReady:
        """Wait until the platform serves, at most ``limit`` seconds. Raises DrillFailed."""
        if self._ready is None:
            try:
                async with asyncio.timeout(limit):
                    line = await self._first_line()
            except TimeoutError:
                raise DrillFailed(f"the drill's platform did not come up within {limit:g} s{self._said()}") from None
            self._ready = self._parse(line)
        return self._ready

    def wait(self, limit: float = READY_SECONDS) -> DrillReady:
        """`ready` for a program without an event loop."""
        return asyncio.run(self.ready(limit))

    def stop(self) -> None:
        """End the child and wait for it: politely, then firmly. Safe to call twice."""
        child, self._child = self._child, None
        if child is not None:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.close()  # --with-parent: this is the signal
            for insist in (child.terminate, child.kill):
                try:
                    child.wait(STOP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    insist()
            child.wait(STOP_SECONDS)
            child.stdout.close()
            if child.returncode != 0:
                _clean_up(child.pid)
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    async def _first_line(self) -> bytes:
        """Read on the loop itself: a thread would keep the console from ending before the platform is up."""
        if self._child is None or self._child.stdout is None:
            raise DrillFailed("the drill's platform was not started")
        loop, pipe, readable = asyncio.get_running_loop(), self._child.stdout.fileno(), asyncio.Event()
        line = b""
        loop.add_reader(pipe, readable.set)
        try:
            while not line.endswith(b"\n"):
                await readable.wait()
                chunk = os.read(pipe, 65536)  # the child writes one line and no other
                readable.clear()
                if not chunk:
                    raise DrillFailed(f"the drill's platform ended before it was ready{self._said()}")
                line += chunk
        finally:
            loop.remove_reader(pipe)
        return line

    def _parse(self, line: bytes) -> DrillReady:
        from incident.practice import NotGood

        try:
            return announced(json.loads(line))
        except NotGood as error:
            raise DrillFailed(f"the drill cannot be scored: {error}") from None
        except WRONG as error:
            raise DrillFailed(f"the drill's platform did not say where it is: {line[:200]!r}") from error

    def _said(self) -> str:
        """The last line of the child's stderr, for the sentence that says why it failed."""
        if self._stderr is None:
            return ""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - STDERR_TAIL))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


def _clean_up(group: int) -> None:
    """A platform that was killed leaves its directory, and perhaps a git that writes into it."""
    import signal

    from drill.private_directory import sweep

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    sweep()
