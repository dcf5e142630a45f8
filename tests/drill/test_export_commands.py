"""Reviews, bundles and the report from a shell: each the real program on one store."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.drill.shell import fresh_user, warroom


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


async def declared(user: dict[str, str], *flags: str) -> str:
    done = await warroom(user, "declare", "Payments fail", "--severity", "1", "--author", "ana", *flags)
    assert done.status == 0, done.err
    return done.out.strip()


async def test_what_people_wrote_is_in_the_next_review_and_in_the_page_beside_it(
    user: dict[str, str], tmp_path: Path
) -> None:
    incident = await declared(user)
    review, page = tmp_path / "review.md", tmp_path / "review.html"
    await warroom(user, "export", incident, "-o", str(review))
    review.write_text(review.read_text().replace("_To be filled in at the review._", "It was **the pool**.", 2))
    await warroom(user, "log", "afterwards")

    again = await warroom(user, "export", incident, "-o", str(review))
    html = await warroom(user, "export", incident, "-o", str(page))
    review.write_text(review.read_text().replace("Payments fail", "Nothing"))
    refused = await warroom(user, "export", incident, "-o", str(review))

    assert (again.status, html.status, refused.status) == (0, 0, 2)
    assert "It was <strong>the pool</strong>." in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert "changed outside of the sections" in refused.err
    assert review.read_text().count("It was **the pool**.") == 2
    assert "afterwards" in review.read_text()


async def test_a_bundle_is_verified_and_imported_and_a_changed_one_is_neither(
    user: dict[str, str], tmp_path: Path
) -> None:
    incident = await declared(user)
    file = tmp_path / "bundle.zip"
    await warroom(user, "export", incident, "-o", str(file))
    verified = await warroom(user, "verify", str(file))
    imported = await warroom(user, "--store", str(tmp_path / "other.db"), "import", str(file))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"{incident}/late.txt", "x")
    changed = await warroom(user, "verify", str(file))
    refused = await warroom(user, "--store", str(tmp_path / "third.db"), "import", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert (verified.status, imported.status, changed.status, refused.status) == (0, 0, 1, 2)
    assert incident in imported.out
    assert "late.txt is not in the manifest" in changed.out
    assert "late.txt is not in the manifest" in refused.err


async def test_the_runbook_file_has_a_say_in_the_review(user: dict[str, str], tmp_path: Path) -> None:
    await declared(user)
    book = tmp_path / "book.yaml"
    book.write_text(
        (Path(__file__).parents[2] / "runbook" / "banking-platform.yaml").read_text().replace("Critical", "Dire")
    )

    done = await warroom(user, "export", "latest", "--runbook", str(book))
    wrong = await warroom(user, "export", "latest", "--runbook", str(tmp_path / "none.yaml"))

    assert "- **Severity**: 1 (Dire)" in done.out
    assert wrong.status == 2


async def test_the_report_counts_incidents_and_no_drills(user: dict[str, str]) -> None:
    await declared(user)
    await warroom(user, "log", "TODO rotate the keys @ada due 2026-01-01 !high")
    await declared(user, "--drill")

    table = await warroom(user, "report")
    data = json.loads((await warroom(user, "report", "--json", "--since", "1d")).out)
    drills = await warroom(user, "report", "--drills")
    nothing = await warroom(user, "report", "--until", "2020-01-01")
    wrong = await warroom(user, "report", "--since", "yesterday")

    assert "rotate the keys" in table.out
    assert "OVERDUE" in table.out
    assert data["overall"]["incidents"] == 1
    assert data["followups"]["overdue"] == 1
    assert drills.out.startswith("DRILLS ONLY")
    assert (nothing.status, nothing.out) == (0, "")
    assert wrong.status == 2
    assert "write a day" in wrong.err
