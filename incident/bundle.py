"""Everything about an incident in one zip, with a manifest of hashes, to be handed over or put away.

    INC-20261123-1406-7kq2/
        CONTENTS.txt        what is in it, and what is not
        review.md  review.html  incident.json  timeline.csv
        vital-signs.jsonl   screens/…
        evidence/FOLDER/…   what "preserve evidence" captured and is still on this machine; redacted copies only
        MANIFEST.sha256     for ``sha256sum -c``

The same incident and evidence give the same bytes. A folder of evidence is named by an entry, and that may have come
from another machine: only folders below this machine's own evidence of this very incident are looked into, only files
that their sealed manifest lists are taken, and symbolic links are never followed.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from incident.dossier import Dossier
from incident.entry import Entry, Kind
from incident.escape import visible
from incident.export import TEXTS
from incident.kept import BESIDE
from incident.review import moment

MANIFEST, CONTENTS, DATA = "MANIFEST.sha256", "CONTENTS.txt", "incident.json"
FILES = {"review.md": "markdown", "review.html": "html", DATA: "json", "timeline.csv": "csv"}

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,150}")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time
_MOST_MANIFEST = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_LOOKS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def safe(name: str) -> bool:
    """Whether a path inside of a bundle or a folder of evidence can only mean a file in there."""
    return 0 < len(name) <= 1000 and all(_PART.fullmatch(part) for part in name.split("/"))


class _Writer:
    """Puts files into the zip and their hashes into the manifest."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, at: int) -> None:
        self._archive, self._folder = archive, folder
        time = datetime.fromtimestamp(at // 1000, UTC).timetuple()[:6]
        self._time = min(max(time, _EARLIEST), (2107, 12, 31, 23, 59, 58))
        self.hashes: dict[str, str] = {}

    def text(self, name: str, text: str) -> None:
        self._entry(name, [text.encode("utf-8")])

    def stream(self, name: str, file: IO[bytes]) -> str:
        """The hash of what was copied."""
        return self._entry(name, iter(lambda: file.read(_CHUNK), b""))

    def _entry(self, name: str, chunks: Any) -> str:
        assert safe(name), name
        info = zipfile.ZipInfo(f"{self._folder}/{name}", self._time)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3  # whatever made it
        info.external_attr = (0o100600) << 16
        digest = hashlib.sha256()
        with self._archive.open(info, "w", force_zip64=True) as target:
            for chunk in chunks:
                digest.update(chunk)
                target.write(chunk)
        self.hashes[name] = digest.hexdigest()
        return self.hashes[name]


def write_bundle(
    file: IO[bytes], found: Dossier, evidence_root: Path | None = None, *, originals: bool = False
) -> None:
    """Write the zip into an open file, which need not be seekable.

    ``evidence_root`` is where this machine keeps evidence, None for none of it. ``originals`` also takes what was
    captured as it came, secrets included.

    Raises:
        OSError: it cannot be written. Evidence that cannot be read is named in the contents instead.
    """
    incident = found.incident
    last = found.entries[-1].recorded_at if found.entries else incident.declared_at
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        writer = _Writer(archive, incident.id, last)
        for name, form in FILES.items():
            writer.text(name, TEXTS[form](found))
        for screen in found.kept.screens:
            writer.text(f"screens/{screen.name}.svg", screen.svg)
        if found.kept.signs:
            signs = b"\n".join(map(msgspec.json.encode, found.kept.signs)).decode()
            writer.text("vital-signs.jsonl", f"{signs}\n")
        told = [*_evidence(writer, found, evidence_root, originals=originals)]
        writer.text(CONTENTS, _contents(found, writer, told, originals=originals))
        listed = "".join(f"{writer.hashes[name]}  {name}\n" for name in sorted(writer.hashes))
        writer.text(MANIFEST, listed)


def _contents(found: Dossier, writer: _Writer, told: list[str], *, originals: bool) -> str:
    incident = found.incident
    lines = [
        *(["DRILL. This was an exercise, not an incident.", ""] if incident.drill else []),
        f"{incident.id}: {visible(incident.title).replace(chr(10), ' ')}",
        f"{len(found.entries)} entries, the last recorded at {moment(found.entries[-1].recorded_at)} UTC"
        if found.entries
        else "no entries",
        "",
        "Check it with: warroom verify FILE.zip, or, unpacked, with: sha256sum -c MANIFEST.sha256",
        "",
        *sorted((*writer.hashes, CONTENTS)),
        "",
        "Evidence: "
        + (
            "originals and redacted copies"
            if originals
            else "redacted copies only; originals stay where they were captured"
        ),
        *(told or ["no evidence was preserved in this incident"]),
        *([f"{BESIDE} {MANIFEST} does."] if found.kept.signs or found.kept.screens else ()),
        *(f"not included: {visible(said)}" for said in found.kept.unreadable),
    ]
    return "\n".join(lines) + "\n"


def _evidence(writer: _Writer, found: Dossier, root: Path | None, *, originals: bool) -> Iterator[str]:
    """Copy what is still there; says what became of each folder that the timeline names."""
    seen: set[str] = set()
    for entry in found.entries:
        named = _folder(entry)
        if named is None or named[0] in seen:
            continue
        seen.add(named[0])
        folder, sealed = Path(named[0]), named[1]
        words = visible(folder.name).replace("\n", " ")
        ours = root / found.incident.id if root is not None else None
        if ours is None or folder.parent != ours or not safe(folder.name) or folder.is_symlink():
            yield f"{words}: not included, it is not of this machine"
        elif not folder.is_dir():
            yield f"{words}: not included, it is not there any more"
        else:
            yield f"{words}: {_copied(writer, folder, sealed, originals=originals)}"


def _folder(entry: Entry) -> tuple[str, str] | None:
    """The folder that an outcome says evidence is in, and the hash of its manifest as it was sealed."""
    outcome = (entry.evidence or {}).get("outcome") if entry.kind is Kind.OUTCOME else None
    inside = outcome.get("found") if isinstance(outcome, dict) else None
    folder = inside.get("folder") if isinstance(inside, dict) else None
    if not isinstance(folder, str) or not folder.startswith("/") or "\0" in folder:
        return None
    sealed = inside.get("manifest_sha256") if isinstance(inside, dict) else None
    return folder, sealed if isinstance(sealed, str) else ""


def _copied(writer: _Writer, folder: Path, sealed: str, *, originals: bool) -> str:
    try:
        with _opened(folder / MANIFEST, folder) as file:
            manifest = file.read(_MOST_MANIFEST)
    except OSError as error:
        return f"not included, it has no manifest that can be read ({error.strerror})"
    if sealed and hashlib.sha256(manifest).hexdigest() != sealed:
        return "not included, its manifest is not the one that was sealed"
    wanted = ("redacted/", "original/") if originals else ("redacted/",)
    copied, wrong = 0, []
    for line in manifest.decode("utf-8", "replace").splitlines():
        expected, _, name = line.partition("  ")
        if not safe(name) or not (name.startswith(wanted) or name == "index.json"):
            continue
        try:
            with _opened(folder / name, folder) as file:
                if writer.stream(f"evidence/{folder.name}/{name}", file) != expected:
                    wrong.append(f"{name} is not what was captured")
        except OSError as error:
            wrong.append(f"{name} cannot be read ({error.strerror})")
            continue
        copied += 1
    return "; ".join([f"{copied} files", *wrong])


def _opened(path: Path, inside: Path) -> IO[bytes]:
    """Open a file below ``inside`` without following a symbolic link anywhere on the way. Raises OSError."""
    for place in path.parents:
        if place == inside:
            break
        if place.is_symlink():
            raise OSError(40, "a symbolic link is on the way", str(path))
    return open(path, "rb", opener=lambda name, _: os.open(name, _LOOKS))
