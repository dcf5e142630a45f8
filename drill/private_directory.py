"""A platform's private directory: gone with the platform, and where that was killed, with the next one that starts.

Whoever made it holds a lock on a file in it for as long as the process lives. The kernel lets go of the lock however
the process ends, so a lock that can be taken is the sign of a directory that nobody will remove any more.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

PREFIX: Final = "warroom-drill-"
_ORPHANED: Final = 3600.0  # seconds
OWNER: Final = "owner"  # the file that is locked; it names the machine and the process


class PrivateDirectory:
    """A new directory of mode 0700 in ``parent`` (default: where temporary files go), until `remove`.

    Making one removes what killed platforms have left in the same place.
    """

    def __init__(self, parent: Path | None = None) -> None:
        sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        # Locked before it has its name: nobody may find it unlocked.
        early = self.path / f"{OWNER}.new"
        self._lock: int | None = os.open(early, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._lock, f"{socket.gethostname()}\n{os.getpid()}\n".encode())
        early.rename(self.path / OWNER)

    def remove(self) -> None:
        """Remove it with all that is in it; may be called twice."""
        _remove(self.path)
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def abandoned(path: Path) -> bool:
    """Whether a platform's directory is gone, or the platform that made it on this machine.

    A copy that was taken to another machine is not: nobody can tell from there.
    """
    if not path.is_dir():
        return True
    try:
        descriptor = os.open(path / OWNER, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False  # not finished yet, or being removed
    try:
        if os.read(descriptor, 256).decode(errors="replace").partition("\n")[0] != socket.gethostname():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def sweep(parent: Path | None = None) -> list[Path]:
    """Remove the directories of killed platforms, ours only; returns them. What cannot be removed is left."""
    removed: list[Path] = []
    where = parent or Path(tempfile.gettempdir())
    try:
        found = [entry for entry in os.scandir(where) if entry.name.startswith(PREFIX)]
    except OSError:
        return removed
    for entry in found:
        try:
            ours = entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
        except OSError:
            continue
        path = Path(entry.path)
        if ours and (abandoned(path) or _never_owned(path)):
            log.info("%s is of a platform that was killed, and is removed", path)
            _remove(path)
            removed.append(path)
    return removed


def _remove(path: Path) -> None:
    """Everything in it, and the owner's file last: who is killed in the middle of this leaves what can be swept."""
    with suppress(OSError):
        for entry in os.scandir(path):
            if entry.name == OWNER:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)
        (path / OWNER).unlink(missing_ok=True)
        path.rmdir()


def _never_owned(path: Path) -> bool:
    """Whether it has had no owner for so long that none will come: its platform was killed in its first moment."""
    with suppress(OSError):
        return not (path / OWNER).exists() and time.time() - path.stat().st_mtime > _ORPHANED
    return False
