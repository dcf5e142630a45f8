"""Exports as files: a review keeps what people wrote into it before, and no file is ever lost to another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from incident import fills, kept
from incident.dossier import Dossier, dossier
from incident.entry import Entry, Incident
from incident.export import BUNDLE, EXTENSIONS, file_name, render
from incident.fills import Fills, NotUnderstood
from incident.standard import NEUTRAL, Standard
from tui.sentences import CommandFailed

FORMS = tuple(EXTENSIONS)
REVIEW_AND_DATA = ("markdown", "json")
KEEPS_FILLS = "markdown"


@dataclass(frozen=True, slots=True)
class Offer:
    """What the console's export key offers."""

    id: str
    label: str
    what: str
    forms: tuple[str, ...]


OFFERS = (
    Offer("review", "review and data", "the review as Markdown, the record as JSON", REVIEW_AND_DATA),
    Offer("bundle", "bundle", "everything and the evidence in one zip, with a manifest of hashes", (BUNDLE,)),
    Offer("html", "HTML", "the review as one page that prints well", ("html",)),
    Offer("csv", "CSV", "the timeline for a spreadsheet", ("csv",)),
    Offer("markdown", "Markdown", "the review alone; what people wrote into it is kept", ("markdown",)),
    Offer("json", "JSON", "the record alone, as warroom verify and import take it", ("json",)),
    Offer("all", "every format", "review, page, record, timeline and bundle", FORMS),
)


def gathered(
    incident: Incident, entries: Sequence[Entry], store: Path, standard: Standard = NEUTRAL, filled: Fills | None = None
) -> Dossier:
    """All that is known of an incident, with what is kept beside its store."""
    return dossier(incident, entries, standard, filled, kept.read(store, incident.id))


def write(found: Dossier, form: str, file: IO[bytes], *, originals: bool = False) -> None:
    """Write one of `FORMS` into an open file. Raises OSError."""
    if form != BUNDLE:
        file.write(render(form, found))
        return
    from incident.bundle import write_bundle
    from runbook.evidence_folder import evidence_root

    write_bundle(file, found, evidence_root(), originals=originals)


def filled_in(path: Path, incident: Incident, *, force: bool = False) -> Fills:
    """What people wrote into the review at ``path``, which is about to be written again; nothing if there is no file.

    ``force``: what cannot be carried over is given up.

    Raises:
        CommandFailed: something would be lost.
        OSError: the file cannot be read.
    """
    try:
        found = fills.read(path.read_bytes())
        if found.incident != incident.id:
            raise NotUnderstood(f"it is the review of {found.incident}")
    except FileNotFoundError:
        return Fills()
    except NotUnderstood as error:
        if force:
            return Fills()
        raise CommandFailed(
            f"{path} exists already, and what people wrote there cannot be carried over: {error}. "
            "Choose another file, or overwrite it with --force"
        ) from error
    if found.touched and not force:
        raise CommandFailed(
            f"{path} was changed outside of the sections for people, and that would be lost: move it between the marks "
            "(<!-- warroom:fill … -->), or choose another file; --force keeps the sections and writes the rest anew"
        )
    return found


def write_private(path: Path, put: Callable[[IO[bytes]], None], *, overwrite: bool) -> None:
    """Write a file only its owner can read (0600), whole or not at all. Raises CommandFailed, OSError."""
    writing = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            put(file)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            writing.replace(path)
        else:
            _appear(writing, path)
    except FileExistsError as error:
        raise CommandFailed(f"{path} exists already: choose another file, or overwrite it with --force") from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # nobody asked for the file's working name
    finally:
        with contextlib.suppress(OSError):
            writing.unlink(missing_ok=True)


def _appear(writing: Path, path: Path) -> None:
    """Give a finished file its name, unless something else has it. Raises FileExistsError, OSError."""
    try:
        path.hardlink_to(writing)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        writing.replace(path)


def write_exports(
    incident: Incident,
    entries: Sequence[Entry],
    directory: Path,
    forms: Sequence[str] = REVIEW_AND_DATA,
    *,
    store: Path | None = None,
    standard: Standard = NEUTRAL,
) -> list[Path]:
    """Write ``ID.md``, ``ID.json`` …, readable by their owner only. Raises OSError.

    A review that is there already is written again with what people wrote into it. Where something would be lost, and
    where another file has the name, the next is taken: ``ID-2.md`` …, with what people wrote into the one before.
    Returns the absolute paths, in the order of ``forms``; they all have the same number.
    """
    number = 1
    carried = Fills()
    while True:
        paths = {form: _numbered(directory.absolute() / file_name(incident, form), number) for form in forms}
        review = _numbered(directory.absolute() / file_name(incident, KEEPS_FILLS), number)
        taken = any(path.exists() for form, path in paths.items() if form != KEEPS_FILLS)
        carried = _readable(review, incident) or carried
        try:
            again = bool(filled_in(review, incident).incident)
        except CommandFailed:
            taken = True
        if not taken:
            break
        number += 1
    found = (
        dossier(incident, entries, standard, carried)
        if store is None
        else gathered(incident, entries, store, standard, carried)
    )
    for form, path in paths.items():

        def put(file: IO[bytes], form: str = form) -> None:
            write(found, form, file)

        write_private(path, put, overwrite=form == KEEPS_FILLS and again)
    return list(paths.values())


def _readable(path: Path, incident: Incident) -> Fills | None:
    """What people wrote into the review at ``path``, if it is one of this incident that can be read at all."""
    try:
        found = fills.read(path.read_bytes())
    except (OSError, NotUnderstood):
        return None
    return found if found.incident == incident.id else None


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
