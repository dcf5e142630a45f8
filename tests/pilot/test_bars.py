"""The key bar and the tab bar: what gives way when there is little room, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual import on

from tests.pilot.pane_harness import PaneApp
from widgets.key_bar import KeyBar, KeyHint
from widgets.pieces import Piece, laid_out
from widgets.tab_bar import Tab, TabBar

HINTS = (
    KeyHint("enter", "detail", 1),
    KeyHint("l", "logs", 1),
    KeyHint("z", "maximise", 3),
    KeyHint("R", "restart", 1, act=True),
    KeyHint("B", "roll back", 2, act=True, disabled="read-only"),
)
TABS = (
    Tab("pods", "1", "Pods", mark="✗", count=4),
    Tab("nodes", "2", "Nodes", mark="!", count=1),
    Tab("events", "3", "Events"),
    Tab("services", "4", "Services and databases", "Services", mark="–"),
    Tab("changes", "5", "Changes"),
    Tab("timeline", "6", "Timeline"),
)


class BarApp(PaneApp):
    def on_mount(self) -> None:
        self.pane.styles.dock = "top"

    @on(KeyBar.Pressed)
    def pressed(self, message: KeyBar.Pressed) -> None:
        self.told.append(message.hint.label or message.hint.action)

    @on(TabBar.Chosen)
    def chosen(self, message: TabBar.Chosen) -> None:
        self.told.append(message.tab.id)


async def bar(widget: KeyBar | TabBar, columns: int) -> str:
    app = BarApp(widget)
    async with app.run_test(size=(columns, 3)) as pilot:
        await pilot.pause()
        assert app.widths() == {columns}
        return app.lines[0]


async def test_keys_that_look_come_before_a_line_and_keys_that_act_after_it() -> None:
    assert await bar(KeyBar(HINTS), 100) == (
        "  enter detail   l logs   z maximise   │   R restart   B roll back (read-only)".ljust(98) + "?"
    )


async def test_reasons_then_the_weightiest_hints_give_way_and_help_never() -> None:
    assert (
        await bar(KeyBar(HINTS), 76)
        == "  enter detail   l logs   z maximise   │   R restart   B roll back".ljust(74) + "?"
    )
    assert await bar(KeyBar(HINTS), 60) == "  enter detail   l logs   │   R restart   B roll back".ljust(58) + "?"
    assert await bar(KeyBar(HINTS), 12) == "?".rjust(11)


async def test_many_hints_stand_closer_together_where_that_makes_room() -> None:
    letters = "abcdefghijklmnop"
    many = [KeyHint(letter, "does it") for letter in letters]
    assert await bar(KeyBar(many), 180) == "  " + "  ".join(f"{letter} does it" for letter in letters).ljust(176) + "?"
    assert await bar(KeyBar(many), 240) == "  " + "   ".join(f"{letter} does it" for letter in letters).ljust(236) + "?"


async def test_with_three_rows_no_key_is_left_out_and_those_that_act_begin_in_their_own() -> None:
    looks = [KeyHint(letter, "looks", 6) for letter in "abcdefghij"]
    acts = [KeyHint(letter, "acts", 2, act=True, disabled="not a pod") for letter in "ABCDEFGHIJ"]
    keys = KeyBar([*looks, *acts])
    app = BarApp(keys)
    async with app.run_test(size=(84, 5)) as pilot:
        keys.styles.height = 3
        await pilot.pause()
        text = app.lines[:3]
    shown = [word for line in text for word in line.split()]
    assert text[0].split()[-2:] == ["h", "looks"]
    assert text[1].split()[:5] == ["i", "looks", "j", "looks", "│"]
    assert text[2].endswith("?")
    assert all(letter in shown for letter in "abcdefghijABCDEFGHIJ")


async def test_a_click_on_a_hint_is_reported_unless_it_is_off() -> None:
    app = BarApp(KeyBar(HINTS))
    async with app.run_test(size=(100, 3)) as pilot:
        await pilot.pause()
        await pilot.click(KeyBar, offset=(19, 0))
        await pilot.click(KeyBar, offset=(60, 0))
        await pilot.click(KeyBar, offset=(98, 0))
        assert app.told == ["logs", "help"]


async def test_every_tab_says_how_many_are_sick() -> None:
    text = await bar(TabBar(TABS, "pods"), 100)
    assert text == " 1 Pods ✗4  2 Nodes !1  3 Events  4 Services and databases –  5 Changes  6 Timeline"


@pytest.mark.parametrize("columns", [40, 60, 75])
async def test_every_tab_stays_and_the_active_one_is_named(columns: int) -> None:
    text = await bar(TabBar(TABS, "services"), columns)
    assert all(f" {tab.key} " in f"{text} " for tab in TABS)
    assert "Services" in text
    assert "✗4" in text


async def test_a_click_on_a_tab_is_reported() -> None:
    app = BarApp(TabBar(TABS, "pods"))
    async with app.run_test(size=(100, 3)) as pilot:
        await pilot.pause()
        await pilot.click(TabBar, offset=(15, 0))
        assert app.told == ["nodes"]


@given(
    texts=st.lists(st.tuples(st.text("ab界 ", max_size=30), st.integers(0, 9)), max_size=8),
    cells=st.integers(1, 120),
)
def test_a_bar_is_exactly_as_wide_as_it_is_told(texts: list[tuple[str, int]], cells: int) -> None:
    pieces = [Piece((text, text[:3]), "", weight) for text, weight in texts]
    assert laid_out(pieces, cells, lambda _: Style.null(), Style.null()).cell_length == cells
