"""What changed in the source: the commits of one checkout within a window, read with the real git.

Read only in the strict sense: no lock is taken, nothing is fetched, no pager, prompt or signature check is started.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from probes.errors import BadAnswer, ConfigError, ProbeError, Unreachable
from probes.freshness import Freshness, Snapshot, State
from probes.rows import Commit

log = logging.getLogger(__name__)

MOST = 500  # commits in one snapshot; the newest win
OUTPUT_LIMIT = 4 * 1024 * 1024  # bytes of git's answer
SUBJECT_LIMIT = 512  # characters

_UNITS = "second|minute|hour|day|week|month|year"
_NUMBERS = r"\d{1,6}|an?|one|two|three|four|five|six|seven|eight|nine|ten"
_RELATIVE = re.compile(rf"({_NUMBERS})[ .]({_UNITS})s?([ .]ago)?", re.IGNORECASE)
_WORDS = frozenset({"yesterday", "today", "midnight", "noon", "last week", "last month", "last year"})
_WINDOW_HINT = 'write since = "2 hours ago", "yesterday" or "2026-11-23 14:00"'


def check_since(since: str) -> None:
    """Refuse a window that git would misread: git takes any text, and reads nonsense as *now*.

    Raises:
        ConfigError: the text is not one of the forms that git and we agree about.
    """
    text = since.strip()
    if text.lower() in _WORDS or _RELATIVE.fullmatch(text):
        return
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"since = {_quoted(since)} is not a time", _WINDOW_HINT) from error


class CommitsProbe:
    """The commits that ``git log`` of the checked-out branch shows since a window, asked every `interval` seconds.

    Args:
        checkout: any directory inside a working tree, or None when no checkout is configured.
        since: a window as git takes it (``2 hours ago``, ``2026-11-23``); by commit date, not author date.
        interval: seconds between two looks.
        timeout: seconds after which git is stopped and the look counts as failed.
    """

    name: ClassVar[str] = "commits"

    def __init__(
        self, checkout: Path | None, since: str = "2 hours ago", *, interval: float = 30.0, timeout: float = 10.0
    ) -> None:
        self._checkout = checkout
        self._since = since
        self._interval = interval
        self._timeout = timeout

    async def watch(self) -> AsyncGenerator[Snapshot[Commit], None]:
        """Yield one snapshot per look, for ever. Failures are snapshots that keep the last rows."""
        rows: Mapping[str, Commit] = MappingProxyType({})
        confirmed: float | None = None
        troubled_since: float | None = None
        live_since: float | None = None
        version = 0
        while True:
            version += 1
            changed: frozenset[str] | None = frozenset()
            try:
                found = await self.look()
            except ProbeError as error:
                now = time.time()
                troubled_since, live_since = troubled_since or now, None
                # Rows read before are still true of the past: grey with an age, not gone.
                state = State.STALE if confirmed is not None else State.UNAVAILABLE
                freshness = Freshness(state, troubled_since, confirmed, str(error), error.hint)
            else:
                now = confirmed = time.time()
                troubled_since, live_since = None, live_since or now
                fresh = {commit.key: commit for commit in found}
                changed = None if version == 1 else frozenset(rows.keys() ^ fresh.keys())
                rows = MappingProxyType(fresh)
                freshness = Freshness(State.LIVE, live_since, confirmed, *self._remark())
            yield Snapshot(self.name, freshness, rows, version, changed)
            await asyncio.sleep(self._interval)

    def _remark(self) -> tuple[str, str]:
        """(detail, hint). Without a checkout nothing is wrong and nothing is seen."""
        if self._checkout is not None:
            return "", ""
        return "no checkout configured", 'name one in the settings: [git] checkout = "/path/to/repository"'

    async def look(self) -> list[Commit]:
        """Ask git once; newest first, at most `MOST`.

        Raises:
            ConfigError: no checkout, not a repository, or a window that is not a time.
            Unreachable: git is not installed or did not answer in time.
            BadAnswer: git failed in another way; its own words are in the sentence.
        """
        if self._checkout is None:
            return []
        check_since(self._since)
        if not await asyncio.to_thread(self._checkout.is_dir):
            raise ConfigError(f"the checkout {self._checkout} is not there", "correct [git] checkout in the settings")
        status, answer, said = await self._run(
            "log", "-z", f"--since={self._since.strip()}", f"--max-count={MOST}", "--no-show-signature", "--no-color",
            "--no-decorate", "--encoding=UTF-8", "--format=tformat:%H%x00%an%x00%ct%x00%s", "HEAD", "--",
        )  # fmt: skip
        if status != 0:
            if "does not have any commits" in said or "bad revision 'HEAD'" in said:
                return []
            raise self._failure(said)
        return list(_commits(answer))

    def _failure(self, said: str) -> ProbeError:
        if "not a git repository" in said:
            return ConfigError(f"{self._checkout} is not a git repository", "correct [git] checkout in the settings")
        if "dubious ownership" in said:
            return ConfigError(
                f"git does not trust {self._checkout}: it belongs to somebody else",
                f"git config --global --add safe.directory {self._checkout}",
            )
        return BadAnswer(f"git log failed in {self._checkout}: {_first_line(said)}")

    async def _run(self, *arguments: str) -> tuple[int, bytes, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                "git", "-C", str(self._checkout), "--no-pager", *arguments,
                stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=_environment(),
            )  # fmt: skip
        except FileNotFoundError as error:
            raise Unreachable("git is not installed, or not on PATH", "install git") from error
        except OSError as error:
            raise Unreachable(f"git could not be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._timeout):
                answer, said = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
                status = await process.wait()
        except TimeoutError as error:
            raise Unreachable(f"git log in {self._checkout} gave no answer within {self._timeout:g} s") from error
        finally:
            await _stop(process)
        return status, answer, said.decode(errors="replace")


def _environment() -> dict[str, str]:
    # GIT_DIR and friends of a surrounding hook would send git to another repository than the configured one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # a partial clone would otherwise go to the network for one log
        "LC_ALL": "C",  # the refusals are recognised by their English words
    }
    return environment


async def _bounded(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    answer = bytearray()
    while chunk := await stream.read(65536):
        answer += chunk
        if len(answer) > OUTPUT_LIMIT:
            limit = OUTPUT_LIMIT // 1024 // 1024
            raise BadAnswer(f"git log answered more than {limit} MiB", "choose a shorter [git] since")
    return bytes(answer)


async def _stop(process: Process) -> None:
    if process.returncode is None:
        try:
            process.kill()
        except ProcessLookupError:
            log.debug("git %d had just ended by itself", process.pid)
        await process.wait()


def _commits(answer: bytes) -> Iterator[Commit]:
    fields = answer.decode(errors="replace").split("\0")
    # Four fields per commit, each ended by NUL: a subject holds anything but NUL.
    for commit, author, at, subject in zip(*(iter(fields),) * 4, strict=False):
        yield Commit(commit=commit, author=author[:SUBJECT_LIMIT], subject=subject[:SUBJECT_LIMIT], at=float(at))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0].removeprefix("fatal: ")[:SUBJECT_LIMIT]


def _quoted(text: str) -> str:
    return f'"{text[:80]}"'
