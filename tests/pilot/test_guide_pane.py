"""A guide as it is drawn: state and what a step can do in marks and words, a cursor that stays, a note that is kept."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from textual import on
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import Input

from tests.breadth import examples
from tests.pilot.test_hostile_panes import filled
from widgets.guide import GuidePane, GuidePanel
from widgets.guide_lines import items
from widgets.guide_view import GuideView, RecordView, SectionView, StepView

SQL = "-- Check for stuck transactions\nSELECT COUNT(*) FROM Payments;"
FOUND = RecordView("logs of payment-service: 9 of 54 lines are errors", "14:20:44", "ada")
VIEW = GuideView(
    id="payment-failures",
    name="Scenario 2",
    title="Payment Processing Failures",
    fits=True,
    lead=(("Symptoms", "Payment transactions failing"),),
    sections=(
        SectionView(
            "Investigation Steps",
            (
                StepView(
                    id="logs", text="Check health", state="done", way="logs", code="kubectl logs", records=(FOUND,)
                ),
                StepView(id="gateway", text="Check gateway", way="plan", code="kubectl exec"),
                StepView(id="tables", text="Check tables", way="hand", code=SQL),
            ),
        ),
        SectionView(
            "Resolution Actions",
            (
                StepView(id="restart", text="Restart payments", way="plan", doing="Restart: verifying, 2 of 3 ready"),
                StepView(id="contain", text="Containment", way="plan", warning="evidence first"),
                StepView(id="queue", text="Queue", state="not-needed", notes=("ask the team",)),
                StepView(id="pods", text="Check pods", way="look"),
            ),
        ),
    ),
)


def texts(view: GuideView, cells: int = 60, rows: int = 99, current: str = "") -> list[str]:
    return [
        "".join(text for text, _ in row).rstrip() for item in items(view, cells, rows, current) for row in item.rows
    ]


def test_state_and_what_a_step_can_do_are_words_and_marks() -> None:
    assert texts(VIEW) == [
        "Symptoms: Payment transactions failing",
        "",
        "─ Investigation Steps ──────────────────────────────────────",
        "☑ Check health                                  ▶ reads logs",
        "  │ kubectl logs",
        "  ↳ logs of payment-service: 9 of 54 lines are errors",
        "    14:20:44 ada",
        "☐ Check gateway                                       ⚑ plan",
        "  │ kubectl exec",
        "☐ Check tables                                       by hand",
        "  │ -- Check for stuck transactions",
        "  │ SELECT COUNT(*) FROM Payments;",
        "",
        "─ Resolution Actions ───────────────────────────────────────",
        "☐ Restart payments                                    ⚑ plan",
        "  ▶ Restart: verifying, 2 of 3 ready",
        "☐ Containment                                         ⚑ plan",
        "  ! evidence first",
        "– Queue                                              by hand",
        "  · ask the team",
        "☐ Check pods                                         ▶ looks",
    ]


def test_where_there_is_little_room_only_the_step_under_the_cursor_shows_its_code() -> None:
    assert "  │ kubectl logs" not in texts(VIEW, rows=20)
    assert "  │ kubectl exec" in texts(VIEW, rows=20)
    tight = texts(VIEW, rows=10, current="tables")
    assert [line for line in tight if "│" in line] == [
        "  │ -- Check for stuck transactions",
        "  │ SELECT COUNT(*) FROM Payments;",
    ]


def test_what_was_not_recorded_says_so() -> None:
    step = StepView(id="x", text="Look", records=(RecordView("pods: all 3 Running", kept=False),))
    said = " ".join(texts(GuideView(sections=(SectionView("S", (step,)),)), 100))
    assert "pods: all 3 Running" in said
    assert "not recorded: no incident is open" in said


class GuideApp(App[None]):
    def __init__(self, view: GuideView = VIEW) -> None:
        super().__init__()
        self.view = view
        self.heard: list[Any] = []

    def compose(self) -> ComposeResult:
        yield GuidePanel(id="guide")

    @property
    def panel(self) -> GuidePanel:
        return self.query_one(GuidePanel)

    def on_mount(self) -> None:
        self.panel.pane.show(self.view)
        self.panel.pane.focus()

    @on(GuidePane.Asked)
    @on(GuidePane.Left)
    @on(GuidePanel.Noted)
    def hear(self, message: Message) -> None:
        self.heard.append(message)

    @property
    def lines(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]


async def test_each_key_tells_what_is_wanted_of_which_step() -> None:
    app = GuideApp()
    async with app.run_test(size=(80, 30)) as pilot:
        assert app.panel.pane.selected is not None
        assert app.panel.pane.selected.id == "gateway"  # the first that is open
        assert "Scenario 2  Payment Processing Failures  ◀ fits  2 of 7 done" in app.lines[0]
        assert "enter plans · space ticks · esc closes · a note · y copies · o shows" in app.lines[-1]
        await pilot.press("enter", "down", "space", "o", "end", "y", "home", "enter", "g", "escape")
        asked = [(each.what, each.step) for each in app.heard if isinstance(each, GuidePane.Asked)]
        assert asked == [
            ("run", "gateway"),
            ("tick", "tables"),
            ("show", "tables"),
            ("copy", "pods"),
            ("run", "logs"),
        ]
        assert all(each.guide == "payment-failures" for each in app.heard if isinstance(each, GuidePane.Asked))
        assert sum(isinstance(each, GuidePane.Left) for each in app.heard) == 2


async def test_the_cursor_stays_on_its_step_while_the_guide_changes_around_it() -> None:
    app = GuideApp()
    async with app.run_test(size=(80, 14)) as pilot:
        await pilot.press("down", "down")
        more = replace(VIEW.sections[0].steps[0], records=(FOUND,) * 4)
        first = SectionView("Investigation Steps", (more, *VIEW.sections[0].steps[1:]))
        app.panel.pane.show(replace(VIEW, sections=(first, VIEW.sections[1])))
        await pilot.pause()
        assert app.panel.pane.selected is not None
        assert app.panel.pane.selected.id == "restart"
        await pilot.press("up")
        assert any("▌☐ Check tables" in line for line in app.lines)


@pytest.mark.parametrize("kept", [True, False])
async def test_a_note_is_typed_under_the_guide_and_kept_until_it_is_saved(kept: bool) -> None:
    app = GuideApp()
    async with app.run_test(size=(80, 24)) as pilot:
        line = app.panel.line
        assert not line.display
        await pilot.press("a", *"asked", "enter", "enter")
        await pilot.pause()
        (noted,) = [each for each in app.heard if isinstance(each, GuidePanel.Noted)]
        assert (noted.guide, noted.step, noted.text) == ("payment-failures", "gateway", "asked")
        if kept:
            app.panel.saved()
            await pilot.pause()
            assert (line.value, line.display) == ("", False)
            assert app.panel.pane.has_focus
        else:
            app.panel.failed()
            await pilot.pause()
            assert (line.value, line.display, line.has_focus) == ("asked", True, True)


async def test_a_note_that_is_left_is_there_when_its_step_is_noted_again() -> None:
    app = GuideApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n", *"half", "escape")
        assert app.panel.pane.has_focus
        await pilot.press("n")
        assert app.query_one(Input).value == "half"
        await pilot.press("escape", "down", "n")
        assert app.query_one(Input).value == ""


@settings(max_examples=examples(25), deadline=None)
@given(filled(GuideView), st.integers(2, 120), st.integers(0, 60))
def test_whatever_the_texts_are_every_row_is_inert_and_fits(view: GuideView, cells: int, rows: int) -> None:
    steps = [step.id for step in view.steps]
    for item in items(view, cells, rows, steps[0] if steps else ""):
        for row in item.rows:
            for text, _ in row:
                for character in text:
                    assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
            if cells >= 30:
                assert sum(cell_len(text) for text, _ in row) <= cells
