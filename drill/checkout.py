"""A real git repository with a scenario's commits, their dates relative to now, for the changes pane to read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from drill.scenario import Commit, seconds


class CheckoutError(RuntimeError):
    """git could not make the repository; the message is git's own."""


async def make_checkout(directory: Path, commits: Sequence[Commit], now: float) -> None:
    """Make ``directory`` a repository whose branch main has the commits, oldest first. Raises `CheckoutError`.

    One fast-import instead of a process per commit; no configuration of the user or the machine is read.
    """
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    await _git(directory, "init", "--quiet", "--initial-branch=main", ".")
    await _git(directory, "fast-import", "--quiet", "--date-format=raw", stdin=_stream(commits, now))
    await _git(directory, "reset", "--quiet", "--hard", "main")


def _stream(commits: Sequence[Commit], now: float) -> bytes:
    """The commits in the language of git-fast-import(1)."""
    parts: list[bytes] = []
    for number, commit in enumerate(sorted(commits, key=lambda commit: seconds(commit.at)), start=1):
        who = f"{commit.author} <{commit.author.lower().replace(' ', '.')}@banking-platform.com>"
        when = f"{int(now + seconds(commit.at))} +0000"
        message = (commit.subject + (f"\n\n{commit.body}\n" if commit.body else "\n")).encode()
        content = f"{commit.file}, revision {number}\n{commit.subject}\n".encode()
        parts.append(
            f"commit refs/heads/main\nmark :{number}\nauthor {who} {when}\ncommitter {who} {when}\n".encode()
            + b"data %d\n%s\n" % (len(message), message)
            + (f"from :{number - 1}\n".encode() if number > 1 else b"")
            + f"M 100644 inline {commit.file}\n".encode()
            + b"data %d\n%s\n" % (len(content), content)
        )
    return b"".join(parts) + b"done\n"


async def _git(directory: Path, *arguments: str, stdin: bytes = b"") -> None:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=directory,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise CheckoutError("git is not installed, so there is no checkout with commits") from None
    try:
        _, errors = await process.communicate(stdin)
    except asyncio.CancelledError:  # it would write on while its directory is being removed
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise CheckoutError(f"git {arguments[0]} failed: {errors.decode(errors='replace').strip()}")
