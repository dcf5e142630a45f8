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
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

PREFIX: Final = "warroom-drill-"
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
        shutil.rmtree(self.path, ignore_errors=True)
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
        if ours and abandoned(path):
            log.info("%s is of a platform that was killed, and is removed", path)
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed
