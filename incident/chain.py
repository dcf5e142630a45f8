"""The hash chain: every entry's hash covers all of its fields and the hash of the entry before it.

The hashed form *is* the exported form, so that an export can be checked without this program:

    body = {k: v for k, v in entry.items() if k != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == entry["hash"]

A chain shows that something was changed, removed or moved. It does not stop somebody who may write the file from
computing the whole chain anew; the head's hash, written down elsewhere, does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from incident.entry import Entry
from incident.instants import rfc3339

GENESIS = "0" * 64  # what the first entry of an incident has for a previous hash


def exported(entry: Entry) -> dict[str, Any]:
    """The entry as it leaves the program: instants as RFC 3339, everything else as it is.

    Raises:
        ValueError: the entry was read without its evidence, so it is not whole.
    """
    if entry.evidence_on_disk:
        raise ValueError(f"entry {entry.id} was read without its evidence")
    return {
        "id": entry.id,
        "incident": entry.incident,
        "seq": entry.seq,
        "happened_at": rfc3339(entry.happened_at),
        "recorded_at": rfc3339(entry.recorded_at),
        "author": entry.author,
        "source": str(entry.source),
        "kind": str(entry.kind),
        "level": entry.level,
        "text": entry.text,
        "count": entry.count,
        "refers_to": entry.refers_to,
        "fold": entry.fold,
        "evidence": entry.evidence,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def digest(body: Mapping[str, Any]) -> str:
    """The hash of an exported entry, whatever its ``hash`` says.

    Raises:
        ValueError, TypeError: a value has no JSON form.
    """
    hashed = {key: value for key, value in body.items() if key != "hash"}
    canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def sealed(entry: Entry) -> Entry:
    """The entry with its hash, which covers everything else in it."""
    return replace(entry, hash=digest(exported(entry)))
