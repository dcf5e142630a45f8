"""Who set which field: metadata.managedFields, as server-side apply needs them."""

from __future__ import annotations

from typing import Any

from drill.kinds import Kind

Json = dict[str, Any]


def track(kind: Kind, old: Json | None, new: Json, manager: str, now: str, subresource: str = "") -> None:
    """Record in ``new`` (in place) that ``manager`` set what differs from ``old``."""
