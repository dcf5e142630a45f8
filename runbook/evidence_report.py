"""What a folder of evidence is worth, in words: read again, compared with its manifest, and what is missing named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runbook.evidence_folder import Checked, check_folder
from runbook.evidence_order import Order, sized
from runbook.evidence_piece import State, in_thread
from runbook.plan import Json, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOST = (State.PARTIAL, State.FAILED)
_MOST_TOLD = 6


async def reported(order: Order) -> Outcome:
    """The verdict on an order's folder. Reads all of it."""
    if not order.here:
        return Outcome(verdict=Verdict.UNKNOWN, text=f"the evidence is on {order.host}, in {order.folder}")
    path = Path(order.folder)
    return verdict_on(path, await in_thread(lambda: check_folder(path)))


def verdict_on(path: Path, checked: Checked) -> Outcome:
    """Failed if anything that was there to be had was lost; what may not be read, or never was, does not count."""
    if not checked.there:
        return Outcome(verdict=Verdict.FAILED, text=f"there is no evidence: {path} is not there")
    if not checked.sealed:
        text = f"it was broken off: {_counted(checked.files)} without a manifest in {path}; capture again"
        return Outcome(verdict=Verdict.FAILED, text=text, evidence={"folder": str(path)})
    found: Json = {"folder": str(path), "manifest_sha256": checked.manifest, "files": checked.files}
    if checked.wrong:
        text = f"{_some(checked.wrong)}: what is in {path} is not what was captured"
        return Outcome(verdict=Verdict.FAILED, text=text, evidence=found)
    files, missing = checked.index.get("files") or [], checked.index.get("missing") or []
    size = sum(int(one.get("bytes") or 0) for one in files)
    found |= {"bytes": size, "complete": checked.index.get("complete")}
    lost = _told([one for one in (*files, *missing) if one.get("state") in _LOST])
    closed = _told([one for one in missing if one.get("state") == State.FORBIDDEN])
    uncopied = [str(one.get("what")) for one in files if one.get("not_redacted_because")]
    parts = [f"{_counted(len(files))}, {sized(size)}, as in the manifest"]
    if left_out := checked.index.get("pods_left_out"):
        parts.append(f"{left_out} more pods were not captured")
    if lost:
        parts.append(f"missing: {_some(lost)}")
    if closed:
        parts.append(f"not allowed: {_some(closed)}")
    if uncopied:
        parts.append(f"no whole redacted copy of {_some(uncopied)}")
    if broken_off := checked.index.get("broken_off"):
        parts.insert(0, str(broken_off))
    text = f"{'; '.join(parts)}; in {path}"
    failed = bool(lost or checked.index.get("broken_off"))
    return Outcome(verdict=Verdict.FAILED if failed else Verdict.WORKED, text=text, evidence=found)


def _told(pieces: Sequence[Json]) -> list[str]:
    """What lacks, those with the same reason together: ``log of a, log of b (the disk is full)``."""
    by_reason: dict[str, list[str]] = {}
    for piece in pieces:
        by_reason.setdefault(str(piece.get("why", "")), []).append(str(piece.get("what", "")))
    return [f"{_some(whats)} ({why})" for why, whats in by_reason.items()]


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_TOLD
    return ", ".join(texts[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"
