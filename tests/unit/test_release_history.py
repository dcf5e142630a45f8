"""Which revision is offered first, and how a word of ours gets into one."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from drill import helm
from probes.errors import BadAnswer
from probes.helm_secret import Info, StoredRelease, decode_release
from probes.releases import Stored
from runbook.releases import History, Revision, age, spoken, with_description

NOW = 1_795_000_000.0


def revision(number: int, status: str = "superseded", description: str = "Upgrade complete") -> Revision:
    stored = Stored(
        f"uid-{number}", "1", "prod", f"secret-{number}", "bank", number, status, NOW - 3600 * (20 - number)
    )
    return Revision(stored, StoredRelease("bank", number, "prod", Info(status=status, description=description)))


def history(*revisions: Revision) -> History:
    return History("prod", "bank", tuple(sorted(revisions, key=lambda one: -one.number)))


def offered(*revisions: Revision, below: int = 99) -> int | None:
    found = history(*revisions).offered(below)
    return found.number if found else None


def test_the_last_that_succeeded_comes_first() -> None:
    assert offered(revision(1), revision(2), revision(3, "deployed")) == 2
    assert offered(revision(1), revision(2, "failed"), revision(3, "deployed")) == 1
    assert offered(revision(1), revision(2, "deployed"), revision(3, "failed")) == 2
    assert offered(revision(1), revision(2, "deployed"), revision(3, "failed"), revision(4, "failed")) == 2


def test_one_that_was_rolled_back_from_is_not_offered_while_there_is_another() -> None:
    good, bad = revision(1), revision(3)
    back = revision(4, "deployed", "Rollback to 2")
    assert offered(good, revision(2), bad, back) == 1
    assert offered(revision(2), bad, back) == 3  # it is all that is left that is different
    assert offered(good, revision(2), bad, revision(4, "deployed", "Rollback to 2 (warroom INC-1 act 0)")) == 1


def test_what_has_the_content_of_what_runs_is_not_offered_while_there_is_another() -> None:
    chain = (
        revision(1),
        revision(2),
        revision(3, description="Rollback to 1"),
        revision(4, "deployed", "Rollback to 3"),
    )
    assert offered(*chain) == 2
    assert offered(revision(1), revision(2, "deployed", "Rollback to 1")) == 1


def test_from_an_older_row_it_goes_before_that_row() -> None:
    chain = (revision(1), revision(2), revision(3), revision(4, "deployed"))
    assert offered(*chain, below=3) == 2
    assert offered(*chain, below=1) is None


def test_without_a_success_the_newest_failure_is_offered_and_without_any_nothing() -> None:
    assert offered(revision(1, "failed"), revision(2, "failed"), revision(3, "failed")) == 2
    assert offered(revision(1, "deployed")) is None


def test_a_circle_of_rollbacks_ends() -> None:
    chain = history(revision(1, description="Rollback to 2"), revision(2, "deployed", "Rollback to 1"))
    assert chain.origin(2) in (1, 2)


def test_a_revision_in_a_line() -> None:
    one = revision(11, "failed", "Upgrade failed")
    assert spoken(one, NOW) == "11 · 9h ago · failed · Upgrade failed"
    assert spoken(Revision(one.stored, None, "forbidden"), NOW) == "11 · 9h ago · failed · forbidden"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (40, "40s"), (100, "100s"), (600, "10m"), (7199, "119m"), (90_000, "1d"), (200_000, "2d")],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


# ---------------------------------------------------------------- a word of ours

RELEASE = {
    "name": "bank",
    "info": {"description": "Rollback to 2", "status": "deployed", "notes": "ä\u2028<>&"},
    "chart": {"values": {"big": 12345678901234567890123, "small": 1e-320, "text": "1e400"}},
    "config": {},
    "manifest": "---\n" + "x" * 1000,
    "version": 4,
    "unknown": [None, True, 0.1],
}


def secret(text: bytes) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "data": {"release": base64.b64encode(base64.b64encode(text)).decode()}}


def test_only_the_description_changes_and_everything_else_byte_by_byte_stays() -> None:
    raw = json.dumps(RELEASE, ensure_ascii=True).replace('"text": "1e400"', '"text": 1e400').encode()
    named = with_description(secret(gzip.compress(raw)), "warroom INC-1 act 0")

    unpacked = gzip.decompress(base64.b64decode(base64.b64decode(named["data"]["release"]))).decode()
    assert decode_release(named["data"]["release"]).description == "Rollback to 2 (warroom INC-1 act 0)"
    assert decode_release(named["data"]["release"]).rollback_to == 2
    for part in ("12345678901234567890123", "1e400", "1e-320", '"notes":"\\u00e4\\u2028<>&"', "[null, true, 0.1]"):
        assert part in unpacked
    assert named["metadata"] == {"name": "s"}
    assert helm.decode(named["data"]["release"])["manifest"] == RELEASE["manifest"]


def test_an_older_helms_release_without_gzip_is_described_too_and_a_long_word_is_cut() -> None:
    named = with_description(secret(json.dumps({**RELEASE, "info": {"description": "x" * 5000}}).encode()), "w")
    assert decode_release(named["data"]["release"]).description == "x" * 512 + "… (w)"
    assert decode_release(with_description(secret(b'{"name":"a","version":1,"info":{}}'), "w")["data"]["release"])


@pytest.mark.parametrize("text", [b"", b"{", b'{"info": 3}', b"[]", b'{"name": "a"}', b"\x1f\x8b\x08broken"])
def test_what_is_no_release_is_left_alone(text: bytes) -> None:
    with pytest.raises(BadAnswer):
        with_description(secret(text), "w")
    with pytest.raises(BadAnswer):
        with_description({"data": None}, "w")
