"""The timeline through the console's keys: written, amended, retracted, searched, declared, exported, read again."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from incident.entry import Kind, Source
from incident.store import Store
from runbook.plan import Verdict
from tests.drill.shell import fresh_user, warroom
from tests.pilot.console_harness import NARROW, Console, opened, options_for
from tests.unit.act_drafts import intent, outcome
from tui.screens.choose import ChooseScreen
from tui.screens.declare import DeclareScreen
from tui.screens.detail import DetailScreen
from widgets.detail import DetailView
from widgets.dialogs import EntryDialog, RetractDialog

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with opened(options_for(platform, tmp_path_factory.mktemp("first") / "warroom.db")) as found:
        await found.declare()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def console(first: Console) -> AsyncIterator[Console]:
    """A console with an open incident, to which every test adds."""
    yield first
    await first.at_rest()


@dataclass
class Since:
    """An instant before something was written, to say how long before that it happened."""

    at: float = field(default_factory=time.time)

    def was(self, happened_at: int, minutes: float) -> bool:
        """Whether that was ``minutes`` before it was written, which it was between then and now."""
        return self.at - 1 <= happened_at / 1000 + minutes * 60 <= time.time() + 1


def exported(directory: Path) -> dict[str, int]:
    """The exports there, with their inodes: a file that was replaced has another one."""
    return {path.name: path.stat().st_ino for path in directory.glob("INC-*") if path.stat().st_size}


# ---------------------------------------------------------------- declaring


async def test_without_an_incident_one_is_declared_with_a_title_and_begins_with_what_was_seen_before(
    platform: Running, store: Path
) -> None:
    async with opened(options_for(platform, store)) as console:
        await console.says("Press I to declare one")
        await console.press("n")
        await console.typed("too early")
        await console.press("enter")
        await console.says("no open incident: press I to declare one")
        assert console.desk.log_line.value == "too early"  # nothing typed is ever lost
        await console.press("escape")

        await console.press("I")
        await console.on(DeclareScreen)
        await console.press("enter", "enter")
        await console.says("An incident needs a title")
        await console.press("escape")
        await console.home()
        assert not console.room.journal.recording

        await console.press("I")
        await console.on(DeclareScreen)
        await console.typed("Payments failing for [bold]web")
        for _ in range(7):  # past services, impact and the four questions to the severity
            await console.press("tab")
        await console.press("2", "enter", "enter")
        await console.until(lambda: console.room.journal.recording, "the incident declared")

        incident = console.room.journal.incident
        assert incident is not None
        assert (incident.title, incident.severity, incident.drill) == ("Payments failing for [bold]web", 2, False)
        assert incident.cluster == "drill-prod"
        await console.says("SEV 2")
        await console.says("Payments failing for [bold]web")
        await console.until(lambda: "not saved" not in console.text, "the log line can be sent now")
        assert console.desk.log_line.value == "too early"
        # What the probes saw since the console opened is the beginning of its timeline.
        await console.notes(r"payment-service .*already")
        await console.notes(r"^api\.banking-platform\.com/health already unhealthy")


# ---------------------------------------------------------------- one line


async def test_a_typed_line_is_on_the_timeline_and_on_disk(console: Console) -> None:
    await console.write("Taking technical lead. IC is ops-manager. [/bar] 界")
    line = await console.notes(r"^Taking technical lead")

    assert line.text == "Taking technical lead. IC is ops-manager. [/bar] 界"
    assert (line.entry.kind, line.entry.source) == (Kind.NOTE, Source.PERSON)
    assert line.entry.author == console.room.journal.author
    await console.says("[/bar] 界")
    reader = await Store.open(console.room.journal.path)
    try:
        assert console.room.journal.incident is not None
        entries = await reader.entries(console.room.journal.incident.id)
        assert entries[-1].text == line.text or line.text in {entry.text for entry in entries}
    finally:
        await reader.close()


async def test_minutes_ago_and_a_clock_time_set_when_it_happened(console: Console) -> None:
    since = Since()
    await console.write("-5m customers see failed payments")
    line = await console.notes(r"^customers see failed payments$")
    assert since.was(line.happened_at, minutes=5)

    at = datetime.fromtimestamp(time.time() - 20 * 60, UTC)
    await console.write(f"{at:%H:%M} release rolled out")
    line = await console.notes(r"^release rolled out$")
    assert datetime.fromtimestamp(line.happened_at / 1000, UTC) == at.replace(second=0, microsecond=0)


async def test_the_line_says_what_it_will_record_before_enter(console: Console) -> None:
    await console.press("n")
    await console.typed("TODO -5m page the DBA")
    await console.says("follow-up")
    await console.press("ctrl+u")
    await console.typed("25:99 nonsense")
    await console.press("enter")
    assert console.desk.log_line.value == "25:99 nonsense"
    assert not console.entry("nonsense")


async def test_todo_becomes_a_follow_up(console: Console) -> None:
    await console.write("TODO alert on pool exhaustion")
    line = await console.notes(r"alert on pool exhaustion")

    assert line.entry.kind is Kind.FOLLOWUP
    assert [follow.id for follow in console.room.journal.timeline.followups] == [line.id]


async def test_escape_leaves_the_line_and_keeps_its_text(console: Console) -> None:
    await console.press("2", "n")
    await console.typed("half a thou")
    await console.press("escape")
    assert console.desk.focused is console.table("nodes")

    await console.press("n")
    await console.typed("ght")
    await console.press("enter")
    await console.notes("^half a thought$")


async def test_typing_an_entry_presses_no_command_key(console: Console) -> None:
    await console.write("ipeInlczfstq?16 /")

    assert console.app.screen is console.desk
    assert await console.notes(r"^ipeInlczfstq\?16 /$")


# ---------------------------------------------------------------- the long editor, amendments, retractions


async def test_the_long_editor_writes_several_lines_with_a_time(console: Console) -> None:
    await console.press("ctrl+e")
    await console.on(EntryDialog)
    await console.typed("First line")
    await console.press("enter")
    await console.typed("second line")
    await console.press("shift+tab", "shift+tab")
    since = Since()
    await console.typed("-10m")
    await console.press("ctrl+s")
    await console.home()
    line = await console.notes("^First line\nsecond line$")

    assert since.was(line.happened_at, minutes=10)


async def test_the_long_editor_takes_over_what_was_typed_in_the_line(console: Console) -> None:
    await console.press("n")
    await console.typed("grows longer")
    await console.press("ctrl+e")
    await console.on(EntryDialog)
    await console.press("enter")
    await console.typed("than a line")
    await console.press("ctrl+s")
    await console.home()

    assert await console.notes("^grows longer\nthan a line$")
    assert console.desk.log_line.value == ""


async def test_escape_asks_before_a_long_entry_is_thrown_away(console: Console) -> None:
    await console.press("ctrl+e")
    dialog = await console.on(EntryDialog)
    await console.typed("precious")
    await console.press("escape")
    await console.says("esc again throws it away")
    assert console.app.screen is dialog
    await console.press("escape")
    await console.home()
    assert not console.entry("precious")


async def test_an_amendment_changes_what_is_read_and_keeps_what_was_written(console: Console) -> None:
    await console.write("Restarted payment-servce")
    await console.point_at("Restarted")
    await console.press("a")
    await console.on(EntryDialog)
    await console.press(*["backspace"] * 3, *"vice", "ctrl+s")
    await console.home()
    line = await console.notes("^Restarted payment-service$")

    assert line.amended_at is not None
    assert line.entry.text == "Restarted payment-servce"
    await console.says("Restarted payment-service")
    await console.says("amended")


async def test_a_retracted_entry_stays_visible_with_its_reason(console: Console) -> None:
    await console.write("Database is down")
    await console.point_at("Database is down")
    await console.press("x")
    await console.on(RetractDialog)
    await console.typed("it was the pool")
    await console.press("enter")
    await console.home()
    await console.until(lambda: (line := console.entry("Database is down")) and line.retracted, "the retraction")

    await console.says("Database is down")
    await console.says("it was the pool")


async def test_an_entry_opens_with_its_evidence(console: Console) -> None:
    await console.press("1", "home", "down", "p")
    await console.notes("^pod payment-service")
    await console.write("-90m before everything")
    await console.press("6", "slash", *"pod payment", "enter", "home", "enter")
    screen = await console.on(DetailScreen)
    view = screen.query_one(DetailView)
    await console.until(lambda: "evidence:" in view.copy_text(), "the evidence")
    await console.until(lambda: "pinned: pod/payment-service" in view.copy_text(), "the pin's object")
    assert "recorded_at: '20" in view.copy_text()


async def test_an_act_reads_as_unknown_until_its_outcome_comes_and_stands_as_it_is(console: Console) -> None:
    incident = console.room.journal.incident
    assert incident is not None
    async with await Store.open(console.room.journal.path) as other:
        begun = await other.append(incident.id, intent())
        await console.notes("^Scale deployment/payment-service")
        await console.point_at("Scale deployment")
        await console.says("outcome unknown")
        await other.append(incident.id, outcome(begun.id, Verdict.FAILED, "quota exceeded"))
    await console.says("did not work after 12 s: quota exceeded")
    assert "outcome unknown" not in console.text

    for key in ("a", "x"):
        await console.press(key)
        await console.tells("what was done stands as it is")
        assert console.app.screen is console.desk
    await console.press("enter")
    screen = await console.on(DetailScreen)
    view = screen.query_one(DetailView)
    await console.until(lambda: "outcome_evidence:" in view.copy_text(), "the outcome's evidence")
    assert "kubectl scale deployment/payment-service" in view.copy_text()
    assert "verdict: did not work" in view.copy_text()


# ---------------------------------------------------------------- reading


async def test_a_search_on_the_timeline_shows_what_it_finds(console: Console) -> None:
    await console.write("the haystack")
    await console.write("one needle")
    await console.press("6", "slash", *"needle", "enter")
    await console.says("one needle")
    assert "the haystack" not in console.text

    await console.press("escape")
    await console.says("the haystack")


async def test_o_shows_only_people_and_then_only_probes(console: Console) -> None:
    await console.write("said by a person")
    await console.notes("already")
    await console.press("6", "o")
    await console.says("only people")
    assert "already" not in "\n".join(line[124:] for line in console.lines)
    assert "said by a person" in console.text
    await console.press("o")
    await console.says("only probes")
    assert "said by a person" not in console.text
    await console.press("ctrl+o", "ctrl+o")
    await console.says("said by a person")


async def test_times_in_the_editor_are_in_the_zone_that_is_shown(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        await console.press("t")
        at = datetime.now().astimezone()
        await console.write(f"{at:%H:%M} local noon")
        line = await console.notes("^local noon$")
        assert line.happened_at / 1000 == at.replace(second=0, microsecond=0).timestamp()
        await console.press("t")
    time.tzset()


# ---------------------------------------------------------------- other processes, other times


async def test_warroom_log_from_a_shell_appears_by_itself(console: Console, tmp_path: Path) -> None:
    store, since = console.room.journal.path, Since()
    done = await warroom(fresh_user(tmp_path), "--store", str(store), "log", "-2m", "rolled back by hand")
    assert done.status == 0, done.err

    line = await console.notes("rolled back by hand")
    assert since.was(line.happened_at, minutes=2)
    await console.point_at("rolled back by hand")
    await console.says("rolled back by hand")


async def test_e_exports_review_and_data_that_verify(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await console.write("Pool exhausted")
    await console.point_at("Pool exhausted")
    await console.press("x")
    await console.on(RetractDialog)
    await console.typed("wrong")
    await console.press("enter")
    await console.home()
    await export(console)
    told = await console.tells("exported to")

    review, data = (Path(line) for line in told.splitlines()[1:])
    assert (review.suffix, data.suffix) == (".md", ".json")
    assert review.parent == tmp_path
    assert "Pool exhausted" in review.read_text()
    document = json.loads(data.read_text())
    assert document["schema"] == "warroom/incident/1"
    assert "retraction" in {entry["kind"] for entry in document["entries"]}
    await console.notes(f"exported to {review}")
    done = await warroom(fresh_user(tmp_path), "verify", str(data))
    assert done.status == 0, done.err

    data.write_text(data.read_text().replace("Pool exhausted", "Pool was fine"))
    done = await warroom(fresh_user(tmp_path), "verify", str(data))
    assert done.status == 1


async def export(console: Console) -> None:
    """The first of what the key offers: the review and its data."""
    await console.press("e")
    await console.on(ChooseScreen)
    await console.press("enter")


async def test_a_second_export_overwrites_nothing(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await export(console)
    await console.until(lambda: len(exported(tmp_path)) == 2, "the first export")
    first = exported(tmp_path)
    await export(console)
    await console.until(lambda: len(exported(tmp_path)) == 4, "the second export")

    assert first.items() <= exported(tmp_path).items()


async def test_closing_and_opening_again_shows_everything(platform: Running, store: Path) -> None:
    async with opened(options_for(platform, store)) as console:
        await console.declare("It goes on")
        await console.write("before the break")
        await console.notes("already")
        before = [(line.id, line.text) for line in console.timeline]

    async with opened(options_for(platform, store), NARROW) as console:
        await console.until(lambda: console.room.journal.incident is not None, "the store opened")
        assert console.room.journal.incident is not None
        assert console.room.journal.incident.title == "It goes on"
        await console.press("6")
        await console.says("before the break")
        again = [(line.id, line.text) for line in console.timeline]
        assert [line for line in again if line in before] == before


async def test_without_an_open_incident_the_last_one_is_shown_and_not_written_to(
    platform: Running, store: Path
) -> None:
    from incident.entry import Draft, Status

    writer = await Store.open(store)
    try:
        closed = await writer.declare(title="Yesterday's trouble", author="lead", severity=3)
        await writer.append(closed.id, Draft(text="it was DNS", author="lead"))
        await writer.set_status(closed.id, Status.RESOLVED, "lead")
        entries = await writer.entries(closed.id)
    finally:
        await writer.close()

    async with opened(options_for(platform, store)) as console:
        await console.says("it was DNS")
        await console.says("RESOLVED")
        await console.press("n")
        await console.typed("late")
        await console.press("enter")
        await console.says("no open incident: press I to declare one")
        await console.until(lambda: console.room.diagnosing.latest, "what is wrong seen, and written nowhere")
    async with await Store.open(store) as after:
        assert await after.entries(closed.id) == entries


async def test_a_second_incident_can_be_declared_after_a_warning(console: Console) -> None:
    first = console.room.journal.incident
    assert first is not None
    await console.press("I")
    await console.says(f"{first.id} is still open")
    await console.typed("Another one")
    await console.press("enter", "enter", "enter")
    await console.until(lambda: console.room.journal.incident != first, "the second incident")
    await console.home()

    await console.press("i")
    await console.on(ChooseScreen)
    await console.says("Another one")
    await console.typed("Payments")
    await console.press("enter")
    await console.until(lambda: console.room.journal.incident == first, "the first one shown again")
