"""Where entries are kept while the store cannot take them: in memory, and in a file that survives this process.

One file of JSON lines per process, private, next to the store or wherever else there is room. It is locked while its
process lives; what a dead process left behind is found by the next one that opens the store. Blocking: for a thread.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from incident.entry import Draft, Entry

log = logging.getLogger(__name__)


class Spilled(Struct, frozen=True, kw_only=True):
    """A draft that waits for the store, under the name and time it will have there."""

    id: str
    incident: str
    recorded_at: int  # ms
    draft: Draft  # taken in already: cleaned and redacted

    def entry(self, seq: int) -> Entry:
        """How it reads while it waits: an entry without hashes, at a place that is not its own yet."""
        draft = self.draft
        return Entry(
            id=self.id,
            incident=self.incident,
            seq=seq,
            happened_at=self.recorded_at if draft.happened_at is None else draft.happened_at,
            recorded_at=self.recorded_at,
            author=draft.author,
            source=draft.source,
            kind=draft.kind,
            text=draft.text,
            evidence=draft.evidence,
            refers_to=draft.refers_to,
            fold=draft.fold,
            level=draft.level,
            count=draft.count,
            previous_hash="",
            hash="",
        )


class _File(Struct, kw_only=True):
    path: Path
    descriptor: int  # holds the lock
    ids: set[str]
    damaged: bool = False


class Spill:
    """The entries kept aside for one store. Their order is the order in which they were recorded."""

    def __init__(self, store: Path, directories: Sequence[Path] | None = None) -> None:
        """``directories`` are tried in turn; by default the store's, the session's and the temporary one."""
        self._directories = default_directories(store) if directories is None else tuple(directories)
        self._key = hashlib.sha256(os.fsencode(store.absolute())).hexdigest()[:12]
        self._files: list[_File] = []
        self._own: _File | None = None
        self._only_in_memory: list[Spilled] = []
        self.pending: list[Spilled] = []

    @property
    def where(self) -> Path | None:
        """The file that new entries go to; None while there is none, or none can be written."""
        return None if self._own is None or self._only_in_memory else self._own.path

    def keep(self, one: Spilled) -> Path | None:
        """Keep an entry, durably if any directory allows it. Returns the file, or None: then only memory holds it."""
        self.pending.append(one)
        self._only_in_memory.append(one)
        data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._only_in_memory)
        if self._own is not None and _append(self._own, data):
            return self._kept(self._own)
        for directory in self._directories:
            fresh = self._create(directory)
            if fresh is None:
                continue
            if _append(fresh, data):
                self._own = fresh
                self._files.append(fresh)
                return self._kept(fresh)
            _discard(fresh)
        return None

    def forget(self, one: Spilled) -> None:
        """Let go of an entry that `keep` found no file for."""
        self._only_in_memory.remove(one)
        self.pending.remove(one)

    def recover(self) -> int:
        """Take over what dead processes of this user left behind. Returns how many entries that were."""
        found: list[list[Spilled]] = []
        for directory in self._directories:
            try:
                paths = sorted(directory.glob(f"warroom-spill-{self._key}-*.jsonl"))
            except OSError as error:
                log.warning("cannot look for spilled entries in %s: %s", directory, error)
                continue
            mine = {file.path for file in self._files}
            found += [self._take_over(path) for path in paths if path not in mine]
        # A file is in the order in which its process recorded, whatever the clock did meanwhile.
        found.sort(key=lambda entries: entries[0].recorded_at if entries else 0)
        fresh = {one.id: one for entries in found for one in entries}
        for one in self.pending:
            fresh.pop(one.id, None)
        self.pending += fresh.values()
        return len(fresh)

    def settle(self, homeless: Collection[str] = ()) -> None:
        """Everything pending is in the store now, except ``homeless`` ids: files that hold one of those stay."""
        for file in self._files:
            if file.damaged:
                _set_aside(file)
            elif file.ids.isdisjoint(homeless):
                _discard(file)
            else:
                os.close(file.descriptor)
        self._files, self._own = [], None
        self._only_in_memory = []
        self.pending = []

    def release(self) -> None:
        """Let go of the files without removing them: the next process to open the store takes them over."""
        for file in self._files:
            os.close(file.descriptor)
        self._files, self._own = [], None

    def _kept(self, file: _File) -> Path:
        file.ids.update(one.id for one in self._only_in_memory)
        self._only_in_memory = []
        return file.path

    def _create(self, directory: Path) -> _File | None:
        path = directory / f"warroom-spill-{self._key}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            log.warning("cannot keep entries in %s: %s", directory, error)
            return None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _sync(directory)
        return _File(path=path, descriptor=descriptor, ids=set())

    def _take_over(self, path: Path) -> list[Spilled]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            log.warning("cannot read the spilled entries in %s: %s", path, error)
            return []
        try:
            status = os.fstat(descriptor)
            # In a directory that all may write to, a file of another user's is not a memory of ours.
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise PermissionError(f"{path} is not this user's")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists():  # settled while we opened it
                raise FileNotFoundError(path)
            with open(descriptor, "rb", closefd=False) as stream:
                entries, damaged = _decode(stream.read(), path)
        except OSError as error:
            os.close(descriptor)
            if not isinstance(error, BlockingIOError | FileNotFoundError):  # its process lives, or was faster
                log.warning("spilled entries not read: %s", error)
            return []
        ids = {one.id for one in entries}
        self._files.append(_File(path=path, descriptor=descriptor, ids=ids, damaged=damaged))
        return entries


def default_directories(store: Path) -> tuple[Path, ...]:
    """Next to the store; then on what is often another file system."""
    session = os.environ.get("XDG_RUNTIME_DIR")
    others = [Path(session)] if session else []
    return (store.absolute().parent, *others, Path(tempfile.gettempdir()))


def _sync(directory: Path) -> None:
    """Have the name of a new file on disk, too: without it a power cut may take the file."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # it may be written and not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:  # not every file system knows that
        log.info("%s: %s", directory, error)
    finally:
        os.close(descriptor)


def _append(file: _File, data: bytes) -> bool:
    """Write all of it or nothing."""
    size = 0
    try:
        size = os.fstat(file.descriptor).st_size
        if os.write(file.descriptor, data) == len(data):
            os.fsync(file.descriptor)
            return True
        log.warning("%s: no room for a spilled entry", file.path)
    except OSError as error:
        log.warning("%s: a spilled entry could not be written: %s", file.path, error)
    try:
        os.ftruncate(file.descriptor, size)
    except OSError as error:
        log.warning("%s: half an entry could not be removed: %s", file.path, error)
    return False


def _decode(data: bytes, path: Path) -> tuple[list[Spilled], bool]:
    """The entries of a file, and whether there is anything else in it."""
    entries, damaged = [], False
    for text in data.split(b"\n"):
        if not text:
            continue
        try:
            entries.append(msgspec.json.decode(text, type=Spilled))
        except msgspec.DecodeError as error:
            log.warning("%s: a spilled entry cannot be read: %s", path, error)
            damaged = True
    return entries, damaged


def _discard(file: _File) -> None:
    try:
        file.path.unlink(missing_ok=True)
    except OSError as error:  # replayed once more at the next start, to no effect
        log.warning("%s: cannot be removed: %s", file.path, error)
    os.close(file.descriptor)


def _set_aside(file: _File) -> None:
    """Keep a file that holds more than could be understood, where nobody replays it again."""
    try:
        file.path.rename(file.path.with_suffix(".damaged"))
    except OSError as error:
        log.warning("%s: cannot be renamed: %s", file.path, error)
    os.close(file.descriptor)
