"""Starts a command that no console's end can take along: its own session, its output in files, nothing of ours open.

Not a subprocess object on purpose: asyncio's kills its process when the event loop ends, and this must never happen
to somebody who writes to a cluster. Only `runbook.hands` may call it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from runbook.jobs import Job

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def launch(job: Job, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start ``command`` (an argument list; its first is a path, or looked up on PATH), with nothing to read.

    Raises OSError when it was not started; then nothing ran.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"there is no program {command[0]}")
    job.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    job.directory.mkdir(mode=0o700)  # one act is one command: a second one of that name is refused
    _write(job.directory / "command", msgspec.json.encode(list(command)))
    out = os.open(job.stdout, _NEW, 0o600)
    try:
        # Of the open file, so the command inherits it: as long as it can write there, others see it locked.
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        err = os.open(job.stderr, _NEW, 0o600)
        try:
            pid = os.posix_spawn(
                program,
                list(command),
                dict(environment),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out, 1),
                    (os.POSIX_SPAWN_DUP2, err, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them, and that is inherited
            )
        finally:
            os.close(err)
    finally:
        os.close(out)
    job.begun(pid)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
        file.write(content)
