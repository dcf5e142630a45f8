"""What a console keeps of an incident beside the store, and a review shows: vital signs, and screens at key moments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drill.platform import Running, running
from incident import kept
from incident.entry import Status
from incident.kept import Kept, Sign
from incident.store import Store
from probes.freshness import Freshness, Snapshot, State
from tests.pilot.console_harness import Console, opened, options_for
from tui.keeping import sample, secret_on
from tui.vital_signs import VitalSigns


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


def test_nothing_is_kept_where_nothing_was_and_reading_it_is_no_error(tmp_path: Path) -> None:
    assert kept.read(tmp_path / "w.db", "INC-20261123-1406-7kq2") == Kept([], [], [])


def test_signs_and_screens_are_private_files_and_the_first_screen_counts(tmp_path: Path) -> None:
    store, incident = tmp_path / "w.db", "INC-20261123-1406-7kq2"
    kept.keep_sign(store, incident, Sign(2000, 1, 5, {"n": (10.0, 20.0)}))
    kept.keep_sign(store, incident, Sign(1000, 3, 5))
    assert kept.keep_screen(store, incident, "declared", "<svg>1</svg>")
    assert not kept.keep_screen(store, incident, "declared", "<svg>2</svg>")
    found = kept.read(store, incident)

    assert [sign.at for sign in found.signs] == [1000, 2000]
    assert found.signs[1].nodes == {"n": (10.0, 20.0)}
    assert [(screen.name, screen.svg) for screen in found.screens] == [("declared", "<svg>1</svg>")]
    files = [path for path in (tmp_path / "w.db.kept").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "w.db.kept").stat().st_mode & 0o777 == 0o700


def test_a_torn_or_foreign_line_is_left_out(tmp_path: Path) -> None:
    store, incident = tmp_path / "w.db", "INC-20261123-1406-7kq2"
    kept.keep_sign(store, incident, Sign(1000, 3, 5))
    file = kept.folder(store, incident) / kept.SIGNS
    file.write_bytes(file.read_bytes() + b'\xff\n[1]\n{"at":-5,"sick":1,"pods":1}\n{"at":2000,"si')

    assert [sign.at for sign in kept.read(store, incident).signs] == [1000]


def test_an_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an incident's ID"):
        kept.folder(tmp_path / "w.db", "../../etc")


def test_a_screen_that_shows_a_secret_is_known_by_its_lines() -> None:
    line = '<text class="r" x="0" y="20" textLength="9">{}</text><text class="b" x="90" y="20">{}</text>'

    assert secret_on(line.format("password=", "hunter2hunter2"))
    assert not secret_on(line.format("payment-service&#160;", "0&#160;of&#160;3"))


def test_no_sample_is_taken_of_pods_that_are_not_seen_live() -> None:
    stale: Snapshot[Any] = Snapshot(source="pods", freshness=Freshness(state=State.STALE, since=1.0))

    assert sample({}, VitalSigns(), 1.0) is None
    assert sample({"pods": stale}, VitalSigns(), 1.0) is None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_console_keeps_signs_and_the_screens_of_an_incidents_moments(platform: Running, store: Path) -> None:
    async with opened(options_for(platform, store), watched=True) as console:
        await console.declare("Payments fail")
        incident = console.room.journal.incident
        assert incident is not None

        def found() -> Kept:
            return kept.read(store, incident.id)

        await console.until(lambda: bool(found().signs), "a sample of vital signs")
        await console.until(lambda: bool(found().screens), "the screen of the declaration")
        await _status(console, incident.id, Status.RESOLVED)
        await console.until(lambda: len(found().screens) == 2, "the screen of the resolution")

    names = [screen.name for screen in found().screens]
    assert names == ["declared", "resolved"]
    svg = found().screens[0].svg
    assert "Payments" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert found().signs[0].pods > 0


async def _status(console: Console, incident: str, status: Status) -> None:
    async with await Store.open(console.room.journal.path) as store:
        await store.set_status(incident, status, "ana")
