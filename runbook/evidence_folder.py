"""A folder of evidence on this machine: private, never taken for whole while it is not, with a manifest of hashes.

    <state>/evidence/<incident>/<time>-<pod>/
        original/…        as the server sent it
        redacted/…        the same, without what can be told to be a secret
        index.json        who, when, of which cluster; each file's source, size, and whether it is complete
        MANIFEST.sha256   for ``sha256sum -c``
        INCOMPLETE        only while the folder is being written; who finds it knows that nothing was sealed

What the files are called comes from a server, so names are made safe here and nothing is ever written elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

Json = dict[str, Any]

ORIGINAL, REDACTED = "original", "redacted"
MANIFEST, INDEX, INCOMPLETE = "MANIFEST.sha256", "index.json", "INCOMPLETE"

HEADROOM = 64 * 1024 * 1024
"""Bytes of the disk that logs leave free: the incident's timeline is written there, too."""

_RESERVE = 512 * 1024  # bytes held by INCOMPLETE, so that index and manifest fit when nothing else does
_LONGEST = 96  # characters of one part of a path
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOOKS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class CannotKeep(Exception):
    """Something could not be written. ``str(error)`` is a clear sentence; what was written before stays."""


def evidence_root() -> Path:
    """``$XDG_STATE_HOME/warroom/evidence``, or below where the platform keeps state."""
    import platformdirs

    return platformdirs.user_state_path("warroom", appauthor=False) / "evidence"


def room_left(path: Path) -> int | None:
    """Bytes that are free where ``path`` is, or will be; None if that cannot be told."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def safe_name(text: str) -> str:
    """One part of a path that means nothing to a file system or a shell; different texts get different names."""
    safe = _UNSAFE.sub("_", text)[:_LONGEST]
    if safe != text or safe.startswith((".", "-")) or not safe:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        safe = f"{safe.lstrip('.-') or '_'}-{digest}"
    return safe


class EvidenceFile:
    """A new file that knows its size and hash as it grows. Raises `CannotKeep`; what fitted is kept and counted."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name  # relative to the folder
        self.bytes = 0
        self._hash = hashlib.sha256()
        path = folder / name
        try:
            _private_directories(folder, path.parent)
            self._descriptor = os.open(path, _NEW, 0o600)
        except OSError as error:
            raise _cannot(error, name) from error

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._descriptor, view)
            except OSError as error:
                raise _cannot(error, self.name) from error
            self._hash.update(view[:written])
            self.bytes += written
            view = view[written:]

    def close(self) -> None:
        """Bring it to the disk. A second time does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):  # some file systems cannot; the manifest will tell
                os.fsync(descriptor)
            with contextlib.suppress(OSError):
                os.close(descriptor)


class EvidenceFolder:
    """A new folder at ``path``, marked as incomplete until it is sealed. Raises `CannotKeep`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[EvidenceFile] = []
        self._names: set[str] = set()
        try:
            _private_directories(path.parent.parent.parent, path.parent)
            path.mkdir(mode=0o700)
        except FileExistsError as error:
            raise CannotKeep(f"{path} is there already; nothing in it was touched") from error
        except OSError as error:
            raise CannotKeep(f"cannot create {path}: {_reason(error)}") from error
        try:
            with _opened(path / INCOMPLETE, "xb") as marker:
                marker.write(b"not sealed: what is here was still being written\n".ljust(_RESERVE))
        except OSError as error:
            raise CannotKeep(f"cannot write in {path}: {_reason(error)}") from error

    def name_of(self, *parts: str, suffix: str = "") -> str:
        """A name below ``original`` and ``redacted`` that no other file here has, made of texts from anywhere."""
        *above, last = map(safe_name, parts)
        number = 1
        while True:
            numbered = last if number == 1 else f"{last}.{number}"
            name = "/".join((*above, numbered + suffix))
            if name.casefold() not in self._names:
                self._names.add(name.casefold())
                return name
            number += 1

    def original(self, name: str) -> EvidenceFile:
        """A new file for what the server sent. ``name`` is of `name_of`."""
        return self._new(f"{ORIGINAL}/{name}")

    def redacted(self, name: str) -> EvidenceFile:
        """A new file for the copy without secrets."""
        return self._new(f"{REDACTED}/{name}")

    def _new(self, name: str) -> EvidenceFile:
        created = EvidenceFile(self.path, name)
        self._files.append(created)
        return created

    def read(self, name: str) -> IO[bytes]:
        """A file of this folder, to be read again."""
        return _opened(self.path / name, "rb")

    def check_room(self) -> None:
        """Raises `CannotKeep` when what is left of the disk is needed for the timeline."""
        free = room_left(self.path)
        if free is not None and free < HEADROOM:
            left = f"{HEADROOM // 2**20} MiB are left free for the timeline"
            raise CannotKeep(f"the disk is full ({free // 2**20} MiB free; {left})")

    def seal(self, index: Json) -> str:
        """Write index and manifest and take the mark away. The manifest's SHA-256. Raises `CannotKeep`."""
        for written in self._files:
            written.close()
        with contextlib.suppress(OSError):
            os.truncate(self.path / INCOMPLETE, 0)  # gives back the room for what follows
        about = EvidenceFile(self.path, INDEX)
        about.write(msgspec.json.format(msgspec.json.encode(index), indent=2) + b"\n")
        about.close()
        manifest = EvidenceFile(self.path, MANIFEST)
        listed = sorted((*self._files, about), key=lambda one: one.name)
        manifest.write("".join(f"{one.sha256}  {one.name}\n" for one in listed).encode())
        manifest.close()
        try:
            _sync_directory(self.path)
            (self.path / INCOMPLETE).unlink()
            _sync_directory(self.path)
        except OSError as error:
            raise _cannot(error, INCOMPLETE) from error
        return manifest.sha256


def _private_directories(above: Path, path: Path) -> None:
    """Create ``path`` and what is missing between it and ``above``, for the owner only; ``above`` as it comes."""
    if path == above:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    if not path.is_dir():
        _private_directories(above, path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _opened(path: Path, mode: str) -> IO[bytes]:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    return open(path, mode, opener=opener)  # Path.open takes no opener


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk is full"
    if error.errno == errno.EFBIG:
        return "this process may not write a file as large as that"
    return (error.strerror or str(error)).lower()


def _cannot(error: OSError, name: str) -> CannotKeep:
    return CannotKeep(f"{_reason(error)}, while {name} was written")


# ---------------------------------------------------------------------- reading one again


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, read again. ``wrong`` says what is not as the manifest has it; ``manifest`` is the manifest's SHA-256.

    ``files`` and ``bytes`` are of everything that the manifest lists; ``index`` is empty if it cannot be believed.
    """

    there: bool = True
    sealed: bool = False
    files: int = 0
    bytes: int = 0
    wrong: tuple[str, ...] = ()
    manifest: str = ""
    index: Json = {}


def check_folder(path: Path) -> Checked:
    """Read every file again and compare it with the manifest. Takes as long as the disk does."""
    if not path.is_dir():
        return Checked(there=False)
    names = set(_names_in(path)) - {MANIFEST, INCOMPLETE}
    if (path / INCOMPLETE).exists() or not (path / MANIFEST).exists():
        return Checked(files=len(names))
    wrong: list[str] = []
    size = listed = 0
    try:
        with _opened(path / MANIFEST, "rb") as file:
            text = file.read()
    except OSError as error:
        return Checked(wrong=(f"{MANIFEST}: {_reason(error)}",))
    for line in text.decode("utf-8", "replace").splitlines():
        expected, _, name = line.partition("  ")
        if name not in names:
            wrong.append(f"{name} is gone")
            continue
        names.discard(name)
        listed += 1
        try:
            found, length = _hash_of(path / name)
        except OSError as error:
            wrong.append(f"{name} cannot be read: {_reason(error)}")
            continue
        size += length
        if found != expected:
            wrong.append(f"{name} is not what was captured")
    wrong += [f"{name} is not in the manifest" for name in sorted(names)]
    index: Json = {}
    if not any(INDEX in said for said in wrong):
        with contextlib.suppress(OSError, msgspec.DecodeError), _opened(path / INDEX, "rb") as file:
            index = msgspec.json.decode(file.read(), type=Json)
    manifest = hashlib.sha256(text).hexdigest()
    return Checked(sealed=True, files=listed, bytes=size, wrong=tuple(wrong), manifest=manifest, index=index)


def _names_in(path: Path) -> Iterator[str]:
    for place, _, files in os.walk(path):
        for name in files:
            yield (Path(place) / name).relative_to(path).as_posix()


def _hash_of(path: Path) -> tuple[str, int]:
    found, length = hashlib.sha256(), 0
    with _opened(path, "rb") as file:
        while part := file.read(1024 * 1024):
            found.update(part)
            length += len(part)
    return found.hexdigest(), length
