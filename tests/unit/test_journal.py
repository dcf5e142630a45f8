"""The journal of the shown incident: what is recorded where, and what is never mixed or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from incident.entry import Draft, Kind, Source, Status
from incident.store import Store
from probes.transitions import Transition
from tests.unit.api_server import until
from tui import writing
from tui.journal import Journal

HOUR = 3_600_000
NOW = 1_800_000_000_000


class Changes:
    """Remembers what the journal reported, and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.seen: list[set[str] | None] = []
        self._woken = asyncio.Event()

    async def __call__(self, touched: set[str] | None) -> None:
        self.seen.append(touched)
        self._woken.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._woken.clear()
                await self._woken.wait()


def journal(path: Path, *, drill: bool = False, changed: Changes | None = None) -> Journal:
    return Journal(path, "tech-lead", drill=drill, clock=lambda: NOW, changed=changed or Changes())


def set_aside(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.damaged-*"))


def transition(text: str, at: int = NOW, detail: str = "") -> Transition:
    return Transition(key=text, at=at / 1000, level="bad", text=text, detail=detail, evidence={})


async def test_nobody_is_told_that_there_is_no_incident_before_the_store_was_read(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    assert writing.why_none(book) == "the timeline's store is still being opened"
    await book.open()
    assert writing.why_none(book) == "no open incident: press I to declare one"
    await book.close()


async def test_what_probes_saw_before_the_declaration_begins_the_timeline(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    await book.open()
    await book.observe([transition("payments down", NOW - 60_000), transition("long ago", NOW - 2 * HOUR)])
    await book.declare("Payments failing", 2, cluster="prod", namespace="bank")
    assert [line.text for line in book.timeline.lines] == ["payments down", "Declared SEV 2: Payments failing"]
    await book.close()


async def test_what_probes_see_while_the_incident_is_being_declared_is_not_lost(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    await book.open()
    seen: list[str] = []
    declared = asyncio.Event()

    async def see() -> None:
        while len(seen) < 300 and not declared.is_set():
            seen.append(f"payments down {len(seen)}")
            await book.observe([transition(seen[-1])])
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(see())
    await until(lambda: len(seen) > 5)
    await book.declare("Payments failing", 2, cluster="prod", namespace="bank")
    at_declaration = len(seen)
    await until(lambda: len(seen) > min(at_declaration + 5, 299))
    declared.set()
    await watching
    assert {entry.text for entry in await book.all_entries() if entry.source is Source.PROBE} == set(seen)
    await book.close()


async def test_the_detail_of_an_observation_is_there_when_the_timeline_is_opened_again(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    await book.open()
    await book.declare("Payments failing", None, cluster="", namespace="")
    await book.observe([transition("payments down", detail="exit 1")])
    await book.close()
    again = journal(tmp_path / "w.db")
    await again.open()
    assert [line.text for line in again.timeline.lines if line.entry.source is Source.PROBE] == [
        "payments down\nexit 1"
    ]
    await again.close()


async def test_a_real_console_never_writes_to_a_drill_that_was_left_open(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "w.db")
    left = await store.declare(title="An exercise", author="tech-lead", drill=True)
    await store.close()
    book = journal(tmp_path / "w.db")
    await book.open()
    assert book.incident is not None
    assert book.incident.id == left.id  # shown, because it is the last there was
    assert not book.recording
    await book.observe([transition("payments down")])
    assert len(await book.all_entries()) == 1
    await book.close()


async def test_the_last_incident_of_a_real_console_is_no_drill_if_there_was_a_real_one(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "w.db")
    real = await store.declare(title="Payments failing", author="tech-lead")
    await store.set_status(real.id, Status.RESOLVED, "tech-lead")
    drill = await store.declare(title="An exercise", author="tech-lead", drill=True)
    await store.set_status(drill.id, Status.RESOLVED, "tech-lead")
    await store.close()
    book = journal(tmp_path / "w.db")
    await book.open()
    assert book.incident is not None
    assert book.incident.id == real.id
    await book.close()


async def test_leaving_a_drill_ends_its_incident(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db", drill=True)
    await book.open()
    incident = await book.declare("An exercise", 2, cluster="", namespace="")
    await book.close()
    store = await Store.open(tmp_path / "w.db")
    assert (await store.incident(incident.id)).status is Status.RESOLVED
    await store.close()


async def test_leaving_a_drill_that_was_resolved_elsewhere_just_leaves(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db", drill=True)
    await book.open()
    incident = await book.declare("An exercise", 2, cluster="", namespace="")
    async with await Store.open(tmp_path / "w.db") as other:
        await other.set_status(incident.id, Status.RESOLVED, "somebody")
        await book.close()
        assert len(await other.entries(incident.id)) == 2


async def test_a_damaged_store_is_recovered_shown_and_told(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    book = journal(path)
    await book.open()
    await book.declare("Payments failing", 1, cluster="", namespace="")
    await book.write(Draft(text="still there", author="tech-lead"))
    assert book.notice == ""
    await book.close()
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)
    book = journal(path)
    await book.open()
    assert "w.db was damaged. It is kept as" in book.notice
    assert book.trouble == "", "entries reach the store"
    texts = [line.text for line in book.timeline.lines]
    assert texts[1] == "still there"
    assert "The store was damaged" in texts[-1]
    assert (await book.write(Draft(text="it goes on", author="tech-lead"))).ok
    await book.close()
    assert len(set_aside(path)) == 1


async def test_what_another_console_changes_about_the_incident_is_shown_here(tmp_path: Path) -> None:
    seen = Changes()
    one, other = journal(tmp_path / "w.db"), journal(tmp_path / "w.db", changed=seen)
    await one.open()
    await one.declare("Payments failing", None, cluster="", namespace="", services=["core-api"], impact="none yet")
    await other.open()
    following = asyncio.create_task(other.follow())
    assert (await one.set_role("scribe", "Ada")).ok
    assert (await one.set_severity(1)).ok
    assert (await one.set_facts(impact="No card payments", facts={"service_down": True})).ok
    assert (await one.set_title("Card payments failing")).ok
    assert (await one.set_status(Status.MITIGATING)).ok
    assert one.incident is not None
    detected = one.incident.declared_at - 60_000
    assert (await one.set_time("detected", detected)).ok
    assert (one.incident.roles, one.incident.severity) == ({"scribe": "Ada"}, 1)
    await seen.until(lambda: other.incident == one.incident)
    assert other.incident is not None
    assert other.incident.times == {"detected": detected}
    refused = await one.set_role("scribe", "Ada")
    assert (refused.ok, refused.kept) == (False, False)
    assert refused.trouble == "Ada is scribe already. Nothing was recorded."
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await one.close()
    await other.close()


async def test_a_store_that_is_no_database_is_left_alone_and_a_rescue_store_takes_the_entries(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    path.write_text("not a database")
    book = journal(path)
    await book.open()
    assert "w-rescue.db" in book.trouble
    await book.declare("Payments failing", 1, cluster="", namespace="")
    saved = await book.write(Draft(text="still recorded", author="tech-lead"))
    assert saved.ok
    await book.flush()
    assert "w-rescue.db" in book.trouble, "the trouble stays told however well the rescue works"
    await book.close()
    assert path.read_text() == "not a database"
    store = await Store.open(tmp_path / "w-rescue.db")
    latest = await store.latest()
    assert latest is not None
    assert "still recorded" in [entry.text for entry in await store.entries(latest.id)]
    await store.close()


async def test_what_another_process_appends_is_taken_in_while_following(tmp_path: Path) -> None:
    changes = Changes()
    book = journal(tmp_path / "w.db", changed=changes)
    await book.open()
    incident = await book.declare("Payments failing", 2, cluster="", namespace="")
    following = asyncio.create_task(book.follow())
    other = await Store.open(tmp_path / "w.db")
    await other.append(incident.id, Draft(text="from a shell", author="somebody", kind=Kind.NOTE))
    await changes.until(lambda: any(line.text == "from a shell" for line in book.timeline.lines))
    await other.set_status(incident.id, Status.MITIGATING, "somebody")
    await changes.until(lambda: book.incident is not None and book.incident.status is Status.MITIGATING)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await other.close()
    await book.close()


async def test_showing_another_incident_is_followed_from_then_on(tmp_path: Path) -> None:
    changes = Changes()
    book = journal(tmp_path / "w.db", changed=changes)
    await book.open()
    first = await book.declare("First", None, cluster="", namespace="")
    second = await book.declare("Second", None, cluster="", namespace="")
    following = asyncio.create_task(book.follow())
    await book.show(first)
    other = await Store.open(tmp_path / "w.db")
    await other.append(second.id, Draft(text="elsewhere", author="somebody"))
    await other.append(first.id, Draft(text="here", author="somebody"))
    await changes.until(lambda: any(line.text == "here" for line in book.timeline.lines))
    assert "elsewhere" not in [line.text for line in book.timeline.lines]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await other.close()
    await book.close()


async def test_an_incident_that_another_process_declares_is_shown_where_none_is_open(tmp_path: Path) -> None:
    changes = Changes()
    book = journal(tmp_path / "w.db", changed=changes)
    await book.open()
    following = asyncio.create_task(book.follow())
    await book.observe([transition("payments down", NOW - 60_000)])
    other = await Store.open(tmp_path / "w.db")
    drill = await other.declare(title="Somebody practises", author="trainee", drill=True)
    incident = await other.declare(title="Payments failing", author="somebody", severity=2)
    await changes.until(lambda: book.incident is not None)
    assert book.incident is not None
    assert book.incident.id == incident.id != drill.id
    assert book.met == f"{incident.id} was declared elsewhere: Payments failing"
    await other.append(incident.id, Draft(text="from a shell", author="somebody", kind=Kind.NOTE))
    await changes.until(lambda: {"from a shell", "payments down"} <= {line.text for line in book.timeline.lines})

    await other.declare(title="Something else", author="somebody")
    await other.append(incident.id, Draft(text="still here", author="somebody", kind=Kind.NOTE))
    await changes.until(lambda: any(line.text == "still here" for line in book.timeline.lines))
    assert book.incident.id == incident.id
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await other.close()
    await book.close()


async def test_what_probes_see_while_a_finished_incident_is_read_is_on_the_open_ones_timeline(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    await book.open()
    old = await book.declare("Last week's", None, cluster="", namespace="")
    other = await Store.open(tmp_path / "w.db")
    await other.set_status(old.id, Status.RESOLVED, "somebody")
    finished = await other.incident(old.id)
    incident = await book.declare("Payments failing", 2, cluster="", namespace="")
    await book.show(finished)
    await book.observe([transition("payments down")])
    await book.show(incident)
    assert "payments down" in [line.text for line in book.timeline.lines]
    await other.close()
    await book.close()


async def test_a_store_that_was_begun_shows_its_incident_when_somebody_can_look(tmp_path: Path) -> None:
    first = journal(tmp_path / "w.db")
    await first.open()
    await first.declare("Payments failing", 2, cluster="prod", namespace="bank")
    await first.close()
    changes = Changes()
    book = journal(tmp_path / "w.db", changed=changes)
    book.begin()
    assert (book.ready, changes.seen) == (False, [])
    await book.open()
    assert (book.ready, changes.seen) == (True, [None])
    assert [line.text for line in book.timeline.lines] == ["Declared SEV 2: Payments failing"]
    await book.close()


async def test_a_store_that_was_begun_and_never_shown_is_closed(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    book.begin()
    await book.close()
    assert not (tmp_path / "w.db-wal").exists()  # SQLite takes it away with the last connection


async def test_a_store_that_was_begun_and_cannot_be_opened_says_so_when_it_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "w.db").mkdir()
    book = journal(tmp_path / "w.db")
    book.begin()
    await book.open()
    assert "Entries go to" in book.trouble
    await book.close()


async def test_what_is_declared_here_was_not_declared_elsewhere(tmp_path: Path) -> None:
    book = journal(tmp_path / "w.db")
    await book.open()
    await book._look_for_another()

    async def look() -> None:
        while not book.recording:
            await book._look_for_another()

    await asyncio.gather(book.declare("Payments failing", 2, cluster="prod", namespace="bank"), look(), look(), look())
    assert book.met == ""
    await book.close()
