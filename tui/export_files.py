"""The export key's files: the review as Markdown and the data as JSON, beside each other, never over another file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from incident.entry import Entry, Incident
from incident.export import to_json, to_markdown
from tui.commands.export import write_private


def write_exports(incident: Incident, entries: Sequence[Entry], directory: Path) -> list[Path]:
    """Write ``ID.md`` and ``ID.json`` (then ``ID-2.md`` …), readable by their owner only. Raises OSError.

    Returns the absolute paths, the review first.
    """
    texts = {".md": to_markdown(incident, entries), ".json": to_json(incident, entries)}
    number = 1
    while True:
        stem = incident.id if number == 1 else f"{incident.id}-{number}"
        paths = [directory.absolute() / f"{stem}{suffix}" for suffix in texts]
        if not any(path.exists() for path in paths):
            break
        number += 1
    for path, text in zip(paths, texts.values(), strict=True):
        write_private(path, text if text.endswith("\n") else text + "\n", overwrite=False)
    return paths
