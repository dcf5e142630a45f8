"""The table under every pane: cursor, filter, freeze, freshness and how little is drawn again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from rich.style import Style
from textual.geometry import Region
from textual.pilot import Pilot

from probes.freshness import State
from probes.rows import Event
from tests.pilot.pane_harness import NOW, PaneApp, pod, snapshot
from widgets.columns import Column, share
from widgets.events import EventsPane
from widgets.pods import PodsPane
from widgets.table_draw import READABLE, Cursor, Palette, contrast
from widgets.table_rows import Placed, Rows


class CountingPane(EventsPane):
    """Counts the regions that were asked to be drawn again."""

    drawn: int = 0

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> CountingPane:
        self.drawn += len(regions) or 1000
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


def event(number: int, *, message: str = "", last_at: float | None = None, type_: str = "Normal") -> Event:
    """Event 0 is the newest, event 1 a second older, and so on."""
    at = NOW - number if last_at is None else last_at
    return Event(
        uid=f"e{number}",
        namespace="prod",
        name=f"event-{number}",
        type=type_,
        reason="Pulled",
        kind="Pod",
        object_name=f"pod-{number}",
        object_uid="",
        message=message or f"message {number}",
        count=1,
        first_at=at,
        last_at=at,
        reporter="kubelet",
    )


@asynccontextmanager
async def showing(
    pane: EventsPane, events: list[Event], size: tuple[int, int] = (80, 12)
) -> AsyncIterator[tuple[PaneApp, Pilot[None]]]:
    pane.clock_now = lambda: NOW
    app = PaneApp(pane)
    async with app.run_test(size=size) as pilot:
        pane.show(snapshot("events", events))
        await pilot.pause()
        yield app, pilot


async def test_the_cursor_stays_on_its_row_when_rows_arrive_above_it() -> None:
    pane = EventsPane()
    events = [event(number) for number in range(5)]
    async with showing(pane, events) as (app, pilot):
        await pilot.press("down", "down")
        assert pane.selected_key == "e2"
        pane.show(snapshot("events", [event(-1), event(-2), *events], version=2, changed=frozenset({"e-1", "e-2"})))
        await pilot.pause()
        assert pane.selected_key == "e2"
        assert "▌" in app.line("message 2")


async def test_in_a_scrolled_table_the_row_under_the_cursor_keeps_its_line_of_the_screen() -> None:
    pane = EventsPane()
    events = [event(number) for number in range(100)]
    async with showing(pane, events) as (app, pilot):
        pane.action_move(50)
        await pilot.pause()
        line = app.lines.index(app.line("message 50"))
        pane.show(snapshot("events", [event(-1), event(-2), *events], version=2))
        await pilot.pause()
        assert app.lines.index(app.line("message 50")) == line


async def test_when_the_selected_row_goes_away_its_neighbour_is_selected_and_that_is_told() -> None:
    pane = EventsPane()
    events = [event(number) for number in range(5)]
    async with showing(pane, events) as (app, pilot):
        await pilot.press("j", "j")
        pane.show(snapshot("events", [row for row in events if row.uid != "e2"], version=2, changed=frozenset({"e2"})))
        await pilot.pause()
        assert pane.selected_key == "e3"
        assert app.told[-1] == "selected e3"


async def test_the_selected_row_is_always_on_the_screen() -> None:
    pane = EventsPane()
    async with showing(pane, [event(number) for number in range(100)]) as (app, pilot):
        for keys in (["end"], ["pageup"], ["k", "k"], ["home"], ["G"], ["home"], ["pagedown", "down"]):
            await pilot.press(*keys)
            assert f"{pane.selected_key}"[1:] == app.line("▌").split("message ")[1].split()[0]
        pane.viewport.scroll(40)
        pane.settle()
        await pilot.pause()
        assert f"{pane.selected_key}"[1:] == app.line("▌").split("message ")[1].split()[0]


async def test_enter_and_a_double_click_open_the_row_and_one_click_selects_it() -> None:
    pane = EventsPane()
    async with showing(pane, [event(number) for number in range(5)]) as (app, pilot):
        await pilot.press("down", "enter")
        assert app.told[-1] == "opened e1"
        await pilot.click(EventsPane, offset=(5, 5))
        assert pane.selected_key == "e3"
        assert app.told[-1] == "selected e3"
        await pilot.double_click(EventsPane, offset=(5, 6))
        assert app.told[-1] == "opened e4"


async def test_a_typed_filter_is_live_is_shown_and_is_cleared_by_escape() -> None:
    pane = EventsPane()
    async with showing(pane, [event(1, message="Disk FULL"), event(2, message="ok")]) as (app, pilot):
        await pilot.press("slash", *"disk f")
        assert "/disk f▏" in app.lines[0]
        assert "1 shown" in app.lines[0]
        assert "Disk FULL" in app.text
        assert pane.counts == (1, 2)
        await pilot.press("enter", "down", "f")
        assert "/disk f" in app.lines[0]
        assert "▏" not in app.lines[0]
        assert pane.frozen_since is not None
        await pilot.press("escape")
        assert pane.filter_text == ""
        assert pane.counts == (2, 2)


async def test_a_filter_with_an_exclamation_mark_hides_what_matches() -> None:
    pane = EventsPane()
    async with showing(pane, [event(1, message="Disk full"), event(2, message="ok")]) as (app, pilot):
        await pilot.press("slash", *"!disk")
        assert "Disk full" not in app.text
        assert "ok" in app.text
        await pilot.press("ctrl+u", *"nothing", "backspace")
        assert "nothing here matches nothin" in app.text
        assert "esc shows all" in app.text


async def test_rows_that_change_while_a_filter_stands_come_and_go_with_it() -> None:
    pane = EventsPane()
    async with showing(pane, [event(1, message="full"), event(2, message="ok")]) as (app, pilot):
        pane.set_filter("full")
        rows = [event(1, message="fine"), event(2, message="full now"), event(3, message="full too")]
        pane.show(snapshot("events", rows, version=2, changed=frozenset({"e1", "e2", "e3"})))
        await pilot.pause()
        assert "fine" not in app.text
        assert "full now" in app.text
        assert "full too" in app.text


async def test_a_frozen_pane_keeps_its_rows_counts_what_waits_and_still_tells_when_its_source_dies() -> None:
    pane = EventsPane()
    stays = event(1)
    async with showing(pane, [stays, event(2)], size=(100, 12)) as (app, pilot):
        await pilot.press("f")
        pane.show(snapshot("events", [stays, event(3), event(4)], version=2))
        await pilot.pause()
        assert "FROZEN since 14:20:44" in app.lines[0]
        assert "3 changes waiting" in app.lines[0]
        assert "message 2" in app.text
        assert "message 3" not in app.text
        gone = snapshot("events", [], state=State.STALE, detail="connection refused", confirmed=NOW - 14, version=3)
        pane.show(gone)
        await pilot.pause()
        assert "STALE 14 s · connection refused" in app.lines[-1]
        assert "message 2" in app.text
        await pilot.press("space")
        assert pane.frozen_since is None
        assert "message 2" not in app.text


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (State.LOADING, ["loading events …"]),
        (State.LIVE, ["no events in namespace prod"]),
        (State.FORBIDDEN, ["⊘ FORBIDDEN", "cannot list events", "ask for a role"]),
        (State.UNAVAILABLE, ["✗ UNAVAILABLE", "cannot list events", "ask for a role"]),
        (State.STALE, ["STALE", "cannot list events"]),
    ],
)
async def test_loading_empty_forbidden_and_broken_look_different(state: State, shown: list[str]) -> None:
    pane = EventsPane(where="in namespace prod")
    pane.clock_now = lambda: NOW
    app = PaneApp(pane)
    async with app.run_test(size=(80, 12)) as pilot:
        pane.show(snapshot("events", state=state, detail="cannot list events", hint="ask for a role"))
        await pilot.pause()
        for part in shown:
            assert part in app.text
        assert ("no events" in app.text) == (state in (State.LIVE, State.STALE))
        assert ("0 in 30 min" in app.text) == (state is State.LIVE)
        assert pane.has_class("-stale") == (state not in (State.LIVE, State.LOADING))


async def test_the_sentence_of_an_empty_pane_stays_in_view_when_the_pane_shrinks() -> None:
    pane = EventsPane()
    async with showing(pane, [], size=(80, 30)) as (app, pilot):
        await pilot.resize_terminal(60, 5)
        await pilot.pause()
        assert "no events" in app.text


async def test_rows_of_a_source_that_died_stay_and_their_age_counts_on() -> None:
    pane = EventsPane()
    async with showing(pane, [event(1)]) as (app, pilot):
        rows = [event(1)]
        pane.show(snapshot("events", rows, state=State.STALE, detail="no answer", confirmed=NOW - 14, version=2))
        await pilot.pause()
        assert "message 1" in app.text
        assert "STALE 14 s · no answer" in app.lines[-1]
        pane.tick(NOW + 2)
        await pilot.pause()
        assert "STALE 16 s · no answer" in app.lines[-1]


async def test_a_quiet_second_draws_nothing_old_data_its_age_and_a_changed_row_one_line() -> None:
    pane = CountingPane()
    rows = [event(number, last_at=NOW - 3600 - number) for number in range(50)]
    async with showing(pane, rows, size=(80, 40)) as (app, pilot):
        pane.drawn = 0
        assert "live <10 s" in app.lines[-1]
        pane.tick(NOW + 1)
        assert pane.drawn == 0
        pane.tick(NOW + 10)
        assert pane.drawn == 1  # "live 10 s"
        pane.drawn = 0
        changed = event(3, message="other", last_at=NOW - 3603)
        pane.show(
            snapshot(
                "events", [*rows[:3], changed, *rows[4:]], version=2, changed=frozenset({"e3"}), confirmed=NOW - 10
            )
        )
        assert pane.drawn == 1
        await pilot.pause()


async def test_a_missed_snapshot_loses_no_row() -> None:
    pane = EventsPane()
    async with showing(pane, [event(1), event(2)]) as (app, pilot):
        pane.show(snapshot("events", [event(2), event(3)], version=5, changed=frozenset({"e9"})))
        await pilot.pause()
        assert "message 1" not in app.text
        assert "message 3" in app.text


async def test_a_pane_refuses_a_source_it_does_not_show() -> None:
    with pytest.raises(ValueError, match="EventsPane shows events, not pods"):
        EventsPane().show(snapshot("pods"))


async def test_what_comes_before_the_first_size_is_drawn_when_there_is_one() -> None:
    pane = EventsPane()
    pane.show(snapshot("events", [event(1)]))
    app = PaneApp(pane)
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert "message 1" in app.text


@pytest.mark.parametrize("size", [(200, 55), (80, 24), (40, 8), (12, 4), (3, 3)])
async def test_every_line_is_as_wide_as_the_screen(size: tuple[int, int]) -> None:
    async with showing(EventsPane(), [event(number) for number in range(60)], size=size) as (app, _pilot):
        assert app.widths() == {size[0]}


async def test_long_tables_show_where_the_window_is() -> None:
    pane = EventsPane()
    async with showing(pane, [event(number) for number in range(100)]) as (app, pilot):
        await pilot.press("end")
        assert "↑ 91 ·" in app.lines[-1]
        assert app.lines[-2].endswith("▐│")


async def test_local_time_is_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        pane = EventsPane()
        async with showing(pane, [event(1)]) as (app, pilot):
            assert "14:20:43" in app.text
            pane.local_time = True
            await pilot.pause()
            assert "15:20:43" in app.text
    finally:
        monkeypatch.undo()
        time.tzset()


def test_rows_stay_in_order_however_they_change() -> None:
    rows: Rows[int] = Rows()
    for number in range(200):
        rows.update(
            {f"k{number % 70}": Placed((number * 37 % 11, number % 5), number)}, [f"k{number * 13 % 70}"][: number % 2]
        )
        held = rows.window(0, len(rows))
        assert [rows.index(key) for key, _ in held] == list(range(len(held)))
        assert all(rows.get(key) == row for key, row in held)


@pytest.mark.parametrize("available", range(1, 130))
def test_columns_never_take_more_than_there_is(available: int) -> None:
    columns = EventsPane.COLUMNS
    widths = share(columns, [9, 1, 20, 36, 80, 3], available)
    shown = [width for width in widths if width]
    assert sum(shown) + len(shown) - 1 <= max(available, 2 * len(shown) - 1)
    if available >= 60:
        assert widths[4] >= 16


def test_what_is_left_goes_to_the_columns_that_grow() -> None:
    columns = (Column("A", 3), Column("B", 3, grow=1), Column("C", 3, grow=1))
    assert share(columns, [5, 0, 0], 26) == (5, 10, 9)


async def test_the_loop_stays_free_while_ten_thousand_rows_arrive() -> None:
    pane = EventsPane()
    async with showing(pane, []) as (_app, _pilot):
        began = time.thread_time()  # of the processor: a machine that stalls is not what is asked
        pane.show(snapshot("events", [event(number) for number in range(10_000)], version=2))
        assert time.thread_time() - began < 3.0
        assert pane.counts == (10_000, 10_000)


async def test_without_colours_the_cursor_is_inverted_and_what_fails_is_the_brightest() -> None:
    pane = PodsPane()
    app = PaneApp(pane)
    app.no_color = True
    async with app.run_test(size=(100, 12)) as pilot:
        pane.show(snapshot("pods", [pod("a", status="CrashLoopBackOff"), pod("b"), pod("c", status="Completed")]))
        await pilot.pause()
        cursor, well = pane.render_line(1), pane.render_line(2)
        assert all(segment.style is not None and segment.style.reverse for segment in list(cursor)[:-1])
        await pilot.press("down")
        failing = next(segment.style for segment in pane.render_line(1) if "a" in segment.text)
        plain_text = next(segment.style for segment in well if "b" in segment.text)
        assert failing is not None
        assert plain_text is not None
        assert failing.bold
        assert failing.color == plain_text.color


async def test_a_text_the_cursor_would_swallow_takes_the_cursor_rows_own_colour() -> None:
    resolved = {
        "failing": Style(color="#ff8080", bgcolor="#000000"),
        "cursor": Style(color="#000000", bgcolor="#ffffff"),
    }
    palette = Palette(lambda name: resolved[name])
    assert contrast(palette.style("failing")) > READABLE
    assert palette.style("failing", Cursor.HERE).color == Style(color="#000000").color
