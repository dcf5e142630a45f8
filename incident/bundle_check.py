"""Reading a bundle: every file is held against the manifest, and the chain of the JSON is followed."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from incident.bundle import CONTENTS, DATA, FILES, MANIFEST, safe
from incident.verify import Verdict, verify_json

MOST_FILES = 50_000
MOST_BYTES = 16 * 1024**3  # unpacked, as the zip itself says; no more than that is ever read
MOST_DATA = 1024**3  # of incident.json, which is held in memory
_MOST_MANIFEST = 16 * 1024 * 1024
_CHUNK = 1024 * 1024


class BundleError(Exception):
    """A file is no bundle, or not as it was made; ``str(error)`` is a sentence."""


def is_bundle(path: Path) -> bool:
    """Whether a file is a zip at all. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def verify_bundle(path: Path) -> Verdict:
    """Check every file of a bundle against its manifest, and the chain of its JSON. Raises OSError."""
    try:
        text = incident_json(path)
    except BundleError as error:
        return Verdict(ok=False, entries=0, reason=str(error))
    return verify_json(text)


def incident_json(path: Path) -> str:
    """The JSON export inside of a bundle, after every file was held against the manifest.

    Raises:
        BundleError: it is not a bundle, or not as it was made.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(f"The zip is damaged, or none that warroom wrote: {error}.") from error


def _checked(archive: zipfile.ZipFile) -> str:
    infos = archive.infolist()
    if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
        raise BundleError("The zip holds more than any bundle does; nothing of it was read.")
    names: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for info in infos:
        folder, _, name = info.filename.partition("/")
        folders.add(folder)
        if not safe(info.filename) or not name or name in names:
            raise BundleError(f"The zip holds a name that no bundle has, or one twice: {info.filename[:100]!r}.")
        names[name] = info
    missing = [name for name in (MANIFEST, CONTENTS, *FILES) if name not in names]
    if missing or len(folders) != 1:
        raise BundleError(f"This is not a bundle: it lacks {', '.join(missing) or 'one folder that holds everything'}.")
    listed = _manifest(archive, names[MANIFEST])
    for name in sorted(names.keys() - listed.keys() - {MANIFEST}):
        raise BundleError(f"{name} is not in the manifest: it was added later.")
    for name, expected in listed.items():
        if name not in names:
            raise BundleError(f"{name} is in the manifest and not in the bundle.")
        digest = hashlib.sha256()
        for chunk in _chunks(archive, names[name]):
            digest.update(chunk)
        if digest.hexdigest() != expected:
            raise BundleError(f"{name} is not what the manifest says: it was changed.")
    if names[DATA].file_size > MOST_DATA:
        raise BundleError(f"{DATA} is larger than any export.")
    text = b"".join(_chunks(archive, names[DATA])).decode("utf-8")
    if f'"id":"{folders.pop()}"' not in text[:4096]:
        raise BundleError(f"{DATA} is of another incident than the folder it is in.")
    return text


def _manifest(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, str]:
    if info.file_size > _MOST_MANIFEST:
        raise BundleError("The manifest is larger than any.")
    listed: dict[str, str] = {}
    for line in b"".join(_chunks(archive, info)).decode("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if name in listed:
            raise BundleError(f"The manifest lists {name[:100]!r} twice.")
        listed[name] = digest
    return listed


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
