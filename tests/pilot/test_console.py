"""The console on the embedded platform, through its own keys: what is wrong is seen first, every key does its act."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from textual.command import CommandList, CommandPalette

from drill.platform import Running, running
from drill.world import POD
from incident.entry import Kind, Line, Source
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tui.keys import KEYS, PANE_KEYS
from tui.screens.detail import DetailScreen
from tui.screens.help import HelpScreen
from tui.screens.logs import LogsScreen
from tui.subjects import Subject
from widgets.detail import DetailView
from widgets.log_view import LogView
from widgets.pods import PodsPane

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAMP = re.compile(r"\b(?:\d\d:\d\d:\d\d|[A-Z][a-z]{2} \d\d:\d\d)\b")
"""A time of day; before midnight it was another day's."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with opened(options_for(platform, tmp_path_factory.mktemp("first") / "warroom.db")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def console(first: Console) -> AsyncIterator[Console]:
    """A console that is only looked at, without an incident: as the first test found it."""
    yield first
    await first.at_rest()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with opened(options_for(platform, tmp_path_factory.mktemp("second") / "warroom.db")) as found:
        await found.declare()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def recording(second: Console) -> AsyncIterator[Console]:
    """A console with an open incident."""
    yield second
    await second.at_rest()


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A zone that is never UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


async def every_pane_comes_alive(console: Console) -> None:
    def shows(pane: str) -> bool:
        table = console.table(pane)
        return table.freshness.live and bool(console.names(pane)) and "live" in table.subtitle_text

    for name, key in PANE_KEYS[:-1]:
        await console.press(key)
        await console.until(partial(shows, name), f"{name} live, with rows")
    console.check_inert()


# ---------------------------------------------------------------- what is seen


async def test_the_wide_console_shows_all_panes_at_once_and_every_one_comes_alive(console: Console) -> None:
    for title in ("Pods", "Nodes", "Events", "Services", "Changes", "Timeline", "Log"):
        assert f"─ {title}" in console.text
    await every_pane_comes_alive(console)


async def test_the_narrow_console_shows_one_pane_and_a_tab_for_each(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db"), NARROW) as console:
        assert "─ Pods" in console.text
        assert "─ Nodes" not in console.text
        await console.says("2 Nodes !1")

        await console.press("2")
        await console.says("─ Nodes")
        assert "─ Pods" not in console.text

        await console.press("tab")
        await console.says("─ Events")
        await every_pane_comes_alive(console)


async def test_a_console_that_is_resized_keeps_its_pane_and_its_rows(console: Console) -> None:
    await console.press("3")
    await console.pilot.resize_terminal(*NARROW)
    await console.says("1 Pods")
    await console.says("─ Events")
    await console.until(lambda: "─ Pods" not in console.text, "one pane at a time")

    await console.pilot.resize_terminal(*WIDE)
    await console.says("─ Pods")
    await console.says("─ Timeline")
    assert console.desk.focused is console.table("events")


async def test_what_crashes_is_first_and_says_how(console: Console) -> None:
    await console.until(lambda: "CrashLoopBackOff" in console.line("payment-service"), "crashing, and first")
    assert "✗ payment-service" in console.line("payment-service")
    pods = console.table("pods")
    assert isinstance(pods, PodsPane)
    first = pods.viewport.rows.window(0, 1)[0][1]
    assert first is pods.selected_row


async def test_the_banner_says_where_and_how_bad(console: Console) -> None:
    await console.says("unhealthy 4 of ")
    await console.says("11 live · 0 stale")
    banner = "\n".join(console.lines[:3])

    assert "PRODUCTION" in banner
    assert "drill-prod" in banner
    assert "banking-platform-prod" in banner
    assert "No incident open" in banner


# ---------------------------------------------------------------- keys that look


async def test_enter_shows_the_raw_object_of_the_row_as_of_the_keypress(console: Console, platform: Running) -> None:
    await console.press("1", "down")
    row = console.table("pods").selected_key
    await console.press("enter")
    # The rows go on moving under the detail: it stays with what was under the cursor.
    screen = await console.on(DetailScreen)
    console.table("pods").set_filter("nothing has this name")
    view = screen.query_one(DetailView)
    await console.until(lambda: "apiVersion: v1" in view.copy_text(), "the raw object as YAML")

    await console.until(lambda: "BackOff" in view.copy_text(), "its events")
    text = view.copy_text()
    assert row is not None
    assert row.partition("pod ")[2] in text or f"uid: {row}" in text
    assert "kind: Pod" in text
    assert "managedFields" not in text

    console.table("pods").set_filter("")
    await console.press("escape")
    await console.home()


@pytest.mark.parametrize(
    ("key", "part"), [("2", "kind: Node"), ("3", "kind: Event"), ("4", "status"), ("5", "history")]
)
async def test_enter_opens_a_detail_in_every_pane(console: Console, key: str, part: str) -> None:
    await console.press(key, "enter")
    screen = await console.on(DetailScreen)
    view = screen.query_one(DetailView)
    await console.until(lambda: part in view.copy_text(), f"{part} in the detail")

    await console.press("q")
    await console.home()


async def test_a_search_in_the_detail_ends_with_escape_before_the_detail_does(console: Console) -> None:
    await console.press("1", "down", "enter")
    screen = await console.on(DetailScreen)
    view = screen.query_one(DetailView)
    await console.until(lambda: "kind: Pod" in view.copy_text(), "the raw object")
    await console.press("slash", *"image:", "enter")
    assert view.query_text == "image:"

    await console.press("escape")
    assert view.query_text == ""
    assert console.app.screen is screen
    await console.press("escape")
    await console.home()


async def test_l_follows_the_logs_of_every_pod_of_a_workload(console: Console) -> None:
    await console.press("1", "home", "l")
    screen = await console.on(LogsScreen)
    view = screen.query_one(LogView)
    await console.until(lambda: view.line_count > 20, "log lines")

    assert "payment-service" in console.lines[0]
    await console.until(lambda: len(view._sources) == 3, "lines of three pods")


async def test_the_logs_of_one_pod_can_be_searched_and_the_run_before_shown(console: Console) -> None:
    await console.press("1", "home", "down", "l")
    screen = await console.on(LogsScreen)
    view = screen.query_one(LogView)
    await console.until(lambda: view.line_count > 5, "log lines")
    await console.press("slash", *"timeout", "enter")
    assert view.query_text == "timeout"
    await console.says("timeout")
    await console.press("escape")

    await console.press("b")
    await console.until(lambda: view.previous, "the run before")
    await console.until(lambda: view.line_count > 3, "its lines")
    await console.says("PREVIOUS RUN")
    await console.press("b")
    await console.until(lambda: not view.previous and view.line_count > 3, "the current run again")
    await console.press("escape")
    await console.home()


async def test_followed_logs_grow_while_they_are_read(console: Console) -> None:
    await console.press("1", "slash", *"transaction", "enter", "home", "l")
    screen = await console.on(LogsScreen)
    view = screen.query_one(LogView)
    await console.until(lambda: view.line_count > 0, "log lines")
    before = view.line_count

    await console.until(lambda: view.line_count > before, "more lines")
    assert view.follow


async def test_a_row_without_pods_says_that_it_has_no_logs(console: Console) -> None:
    await console.press("2", "l")

    await console.tells("no pods whose logs could be followed")


async def test_y_copies_the_row_and_the_detail(console: Console) -> None:
    await console.press("1", "home")
    await console.until(lambda: "CrashLoopBackOff" in console.table("pods").row_text(), "it crashed again")
    await console.press("y")
    await console.until(lambda: "payment-service" in console.app.clipboard, "the row copied")
    assert "CrashLoopBackOff" in console.app.clipboard
    assert "\x1b" not in console.app.clipboard

    await console.press("down", "enter")
    screen = await console.on(DetailScreen)
    await console.until(lambda: "kind: Pod" in screen.query_one(DetailView).copy_text(), "the raw object")
    await console.press("y")
    await console.until(lambda: "kind: Pod" in console.app.clipboard, "the object copied")


async def test_a_filter_shows_only_what_contains_it_and_escape_shows_all(console: Console) -> None:
    await console.press("1")
    every = len(console.names("pods"))
    await console.press("slash")
    await console.typed("api-gate")
    await console.press("enter")
    assert 0 < len(console.names("pods")) < every
    assert "api-gateway" in console.line("✓ api-gateway")
    assert not [line for line in console.lines if "✗ payment-service" in line]

    await console.press("escape")
    assert len(console.names("pods")) >= every


async def test_letters_typed_into_a_filter_are_no_commands(console: Console) -> None:
    await console.press("1", "slash")
    await console.typed("nipexIq?1")

    assert console.app.screen is console.desk
    assert console.table("pods").filter_text == "nipexIq?1"
    await console.press("escape")
    assert console.table("pods").filter_text == ""


async def test_a_frozen_pane_holds_still_and_says_so(console: Console, platform: Running) -> None:
    await console.press("3", "f")
    events = console.table("events")
    shown = console.names("events")
    assert events.frozen_since is not None
    await console.says("FROZEN")

    await console.until(lambda: events.waiting > 0, "changes waiting behind the frozen pane")
    assert console.names("events") == shown
    await console.press("f")
    assert events.frozen_since is None


async def test_z_gives_a_pane_the_whole_screen_and_takes_it_back(console: Console) -> None:
    await console.press("3", "z")
    await console.until(lambda: len([line for line in console.lines if STAMP.search(line)]) > 15, "a screen of events")
    assert "─ Pods" not in console.text
    assert "PRODUCTION" in "\n".join(console.lines[:3])
    assert "enter detail" in console.lines[-3]
    assert {len(line) for line in console.lines[3:-3]} == {WIDE[0]}

    await console.press("z")
    await console.says("─ Pods")
    await console.press("2", "z")
    await console.until(lambda: "─ Pods" not in console.text, "the nodes alone")
    await console.press("escape")
    await console.says("─ Pods")


async def test_another_pane_asked_for_leaves_the_maximised_one(console: Console) -> None:
    await console.press("3", "z")
    await console.until(lambda: "─ Pods" not in console.text, "the events alone")
    await console.press("1")
    await console.says("─ Pods")
    assert console.desk.focused is console.table("pods")


async def test_the_help_lists_every_key(console: Console) -> None:
    await console.press("question_mark")
    screen = await console.on(HelpScreen)
    rows = [row for _, rows in screen._sections for row in rows]
    sentences = {sentence for _, sentence in rows}

    assert {key.tooltip for key in KEYS} <= sentences
    assert {f"Go to {name}" for name, _ in PANE_KEYS} <= sentences
    assert not [keys for keys, _ in rows if "_" in keys]  # no key by a name that only Textual knows
    for sentence in ("Correct this entry; what it said first stays", "Show or fold all pods of this workload"):
        assert sentence in sentences
    await console.press("escape")
    await console.home()


async def test_the_palette_does_what_it_lists(console: Console) -> None:
    await console.press("ctrl+p")
    palette = await console.on(CommandPalette)
    await console.typed("go to nodes")
    await console.says("Focus the nodes pane")
    hits = palette.query_one(CommandList)
    await console.until(lambda: hits.option_count == 1 and hits.highlighted == 0, "nothing else found")
    await console.press("enter")

    await console.home()
    await console.until(lambda: console.desk.focused is console.table("nodes"), "the nodes focused")


async def test_times_are_utc_until_t_is_pressed(console: Console, kolkata: None) -> None:
    def banner() -> str:
        return "\n".join(console.lines[:3])

    def back_offs() -> set[str]:
        """When the events of this kind were, as their pane has it."""
        return {stamp[0] for line in console.lines if "BackOff" in line and (stamp := STAMP.match(line, 2))}

    await console.until(lambda: re.search(r"\d UTC \(local", banner()), "UTC first in the banner")
    hours = back_offs()
    await console.press("t")
    await console.until(lambda: re.search(r"\d local \(\S+ UTC", banner()), "local time first in the banner")
    moved = back_offs()
    assert hours
    assert moved
    assert not hours & moved
    await console.press("t")
    await console.until(lambda: re.search(r"\d UTC \(local", banner()), "UTC first again")


async def test_themes_can_be_cycled_and_every_one_draws(console: Console) -> None:
    seen = {console.app.theme}
    for _ in range(2):
        await console.press("ctrl+t")  # the message that names it is gone after two seconds, which this may take
        await console.until(lambda: console.app.theme not in seen, "another theme")
        await console.says("✗ payment-service")
        seen.add(console.app.theme)

    assert seen == {"warroom", "warroom-light", "warroom-high-contrast"}
    await console.press("ctrl+t")
    await console.until(lambda: console.app.theme == "warroom", "the first theme again")


# ---------------------------------------------------------------- pins


async def test_p_pins_the_row_with_its_own_time_and_its_raw_object(recording: Console, platform: Running) -> None:
    await recording.press("1", "home", "down")
    # Between two crashes it runs for a moment.
    await recording.until(lambda: "CrashLoopBackOff" in recording.names("pods")[1], "the pod crashed again")
    await recording.press("p")
    line = await recording.notes(r"^pod payment-service-\S+: CrashLoopBackOff, exit 1, 0 of 1 ready, \d+ restarts$")

    entry = line.entry
    assert (entry.kind, entry.source) == (Kind.PIN, Source.PERSON)
    assert entry.happened_at < entry.recorded_at - 60_000  # when it became unready, not when it was pinned
    evidence = await recording.room.journal.evidence(entry.id)
    assert evidence is not None
    name = re.match(r"pod (\S+):", line.text)
    assert name is not None
    raw = platform.platform.store.get(POD, "banking-platform-prod", name[1])
    assert raw is not None
    assert evidence["object"]["metadata"]["uid"] == raw["metadata"]["uid"]
    assert evidence["seen"]["status"] == "CrashLoopBackOff"


async def test_an_event_is_pinned_at_the_time_it_happened(recording: Console) -> None:
    before = {line.id for line in recording.timeline}

    def pins() -> list[Line]:
        return [line for line in recording.timeline if line.entry.kind is Kind.PIN and line.id not in before]

    await recording.press("3", "f", "p")
    event = recording.table("events").selected_row
    await recording.until(pins, "the pin")
    (line,) = pins()

    assert event.reason in line.text  # type: ignore[union-attr]
    assert abs(line.happened_at / 1000 - event.last_at) < 0.002  # type: ignore[union-attr]


async def test_a_log_line_is_pinned_at_the_time_it_was_logged(recording: Console) -> None:
    await recording.press("1", "home", "down", "l")
    screen = await recording.on(LogsScreen)
    view = screen.query_one(LogView)
    await recording.until(lambda: view.line_count > 5, "log lines")
    await recording.press("home", "p")
    selected = view.selected
    assert selected is not None
    await recording.tells("pinned: ")
    line = await recording.notes(re.escape(selected.text))

    assert selected.at is not None
    assert line.happened_at == int(selected.at * 1000)


async def test_nothing_is_pinned_without_an_incident_and_that_is_said(console: Console) -> None:
    await console.press("1", "p")

    assert "I to declare" in await console.tells("not pinned")


async def test_a_key_that_comes_before_its_screen_is_laid_out_ends_nothing(console: Console) -> None:
    screen = DetailScreen(console.room, Subject("pod/x"))
    console.app.push_screen(screen)
    assert not screen.is_mounted
    for key in ("escape", "y", "l"):
        await console.app._check_bindings(key)
    await console.until(lambda: screen.is_mounted, "the screen")
    assert console.app.is_running
    await console.press("escape")
    await console.home()
