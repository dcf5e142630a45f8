"""The comparison of the platform with a real server, without either: what it sees, and that its list is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import aiohttp

from tests.differential import allowed
from tests.differential.pair import differences
from tests.differential.side import Said, Side

NOBODY = cast("aiohttp.ClientSession", None)
UIDS = ("7a41aa07-3fdc-4221-aaf4-ec4f288b95e4", "e8765abc-b530-43f3-b101-18839d47b433")


def said(uid: str, version: int, time: str, owner: str, **data: str) -> dict[str, Any]:
    references = [{"kind": "ConfigMap", "name": "a", "uid": owner}]
    metadata = {"name": "b", "uid": uid, "resourceVersion": f"{version}", "creationTimestamp": time}
    return {"kind": "ConfigMap", "metadata": {**metadata, "ownerReferences": references}, "data": data}


def side(*bodies: dict[str, Any], status: int = 200) -> Side:
    made = Side("one", "https://127.0.0.1", {}, "space", NOBODY)
    made.said += [Said(f"step {at}", status, {}, body) for at, body in enumerate(bodies)]
    return made


def test_what_no_two_servers_share_is_not_told_and_everything_else_is() -> None:
    one, two = UIDS
    ours = side(said(one, 1, "2026-11-25T09:00:00Z", two), said(one, 1, "2026-11-25T09:00:00Z", two, k="1"))
    same = side(said(two, 8, "2026-11-25T10:00:00Z", one), said(two, 8, "2026-11-25T10:00:01Z", one, k="1"))
    assert differences(ours, same) == []
    # A version that should not have moved, an owner who is somebody else, a time with fractions, a value.
    other = side(said(two, 8, "2026-11-25T10:00:00.5Z", two), said(two, 9, "2026-11-25T10:00:00Z", one, k="2"))
    found = "\n".join(differences(ours, other))
    assert "step 0: .body.metadata.ownerReferences[0].uid: 'uid-2' ≠ 'uid-1'" in found
    assert "step 0: .body.metadata.creationTimestamp: 'some time' ≠ 'some time with fractions'" in found
    assert "version of uid-1-1' ≠ 'version of uid-1-2'" in found
    assert "step 1: .body.data.k: '1' ≠ '2'" in found
    assert differences(ours, side(*(one.body for one in same.said), status=404))[0].startswith("  step 0: 200 ")


def test_the_list_of_allowed_differences_is_the_one_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert allowed.listed() in text
