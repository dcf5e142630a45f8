"""The diagnosis as it is drawn: a path that is seen without colour, evidence beside it, a cursor that stays put."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from textual import on
from textual.message import Message

from tests.breadth import examples
from tests.pilot.pane_harness import PaneApp
from tests.pilot.test_hostile_panes import HOSTILE
from widgets.diagnosis import DiagnosisPane
from widgets.diagnosis_lines import ROOMY, side, tree
from widgets.diagnosis_view import DiagnosisView, NodeView, PlaceView, ScenarioView, SuspectView

POD = PlaceView("pods", "workload:prod/Deployment/payment-service")
NODES = (
    NodeView(id="a", text="Incident detected", lit=True, next="b", evidence="first symptom 14:02:11", place=POD),
    NodeView(id="b", text="Pods running?", answer="no", lit=True, no="c", yes="d", evidence="3 of 3 down", place=POD),
    NodeView(id="c", text="Check cluster health", lit=True, last=True, evidence="all 4 nodes ready"),
    NodeView(id="d", text="Check service logs", evidence="exit 1", place=POD, next="e"),
    NodeView(id="e", text="Errors in logs?", answer="unknown", evidence="not known: nothing was read"),
)
VIEW = DiagnosisView(
    nodes=NODES,
    scenarios=(
        ScenarioView(id="payments", number=2, title="Payment failures", reasons=(("pods crash", "3 of 3"),), place=POD),
        ScenarioView(id="outage", number=1, title="Outage", reasons=(("nodes not ready", "2 of 4"),)),
    ),
    suspects=(
        SuspectView(
            id="r12",
            what="revision 12 of bank",
            short="revision 12",
            by="",
            when="14:01:31",
            span="40 s",
            why="it carries payment-service",
            place=PlaceView("changes", "helm:prod/bank/12"),
        ),
    ),
    symptom_at="14:02:11",
)


class DiagnosisApp(PaneApp):
    def __init__(self, pane: DiagnosisPane) -> None:
        super().__init__(pane)
        self.heard: list[Any] = []

    @on(DiagnosisPane.Jump)
    @on(DiagnosisPane.Guide)
    @on(DiagnosisPane.Copied)
    def hear(self, message: Message) -> None:
        self.heard.append(message)


def texts(items: list[Any]) -> list[str]:
    return ["".join(text for text, _ in row).rstrip() for item in items for row in item.rows]


def test_what_two_rows_do_not_hold_ends_in_an_ellipsis() -> None:
    long = " ".join(f"word{number}" for number in range(30))
    reason = replace(VIEW.scenarios[0], reasons=(("pods crash", long),))
    drawn = texts(
        side(replace(VIEW, scenarios=(reason,), suspects=(replace(VIEW.suspects[0], what=long, why=long),)), 50)
    )
    reason_row, *suspect_rows = [row.strip() for row in drawn if row.endswith("…")]
    assert reason_row == "word5 word6 word7 word8 word9 word10 word1…"
    assert suspect_rows == ["word5 word6 word7 word8 word9 wo…"] * 2


def test_the_path_is_drawn_heavy_and_the_rest_light() -> None:
    assert texts(tree(NODES, ROOMY)) == [
        "▶ Incident detected",
        "┃ first symptom 14:02:11",
        "▶ Pods running?  ✗ No",
        "┃ 3 of 3 down",
        "┡━ no ━━▶ Check cluster health  ◀ go on here",
        "│         all 4 nodes ready",
        "└─ yes ─▷ Check service logs",
        "        │ exit 1",
        "        ▷ Errors in logs?  ? Not known",
        "          not known: nothing was read",
    ]


def test_a_narrow_tree_keeps_the_evidence_of_the_path_and_puts_the_rest_beside() -> None:
    drawn = texts(tree(NODES, 64))
    assert drawn[4:] == [
        "┡━no━▶ Check cluster health  ◀ go on here",
        "│      all 4 nodes ready",
        "└─yes▷ Check service logs  exit 1",
        "     ▷ Errors in logs?  ? Not known  not known: nothing was read",
    ]


def test_a_path_that_goes_by_to_a_lower_branch_is_heavy_beside_the_one_it_passes() -> None:
    nodes = (
        NodeView(id="b", text="Pods running?", answer="yes", lit=True, no="c", yes="d"),
        NodeView(id="c", text="No way"),
        NodeView(id="d", text="This way", lit=True, last=True),
    )
    assert texts(tree(nodes, ROOMY)) == [
        "▶ Pods running?  ✓ Yes",
        "┠─ no ──▷ No way",
        "┗━ yes ━▶ This way  ◀ go on here",
    ]


def test_what_fits_and_what_changed_says_why_and_how_long_before() -> None:
    drawn = "\n".join(texts(side(VIEW, 70)))
    assert "▶ 2  Payment failures\n     ✓ pods crash: 3 of 3" in drawn
    assert "▶ 1 40 s before  revision 12 of bank\n" in drawn
    assert "it carries payment-service · 14:01:31" in drawn


def test_nothing_ill_says_so() -> None:
    drawn = "\n".join(texts(side(DiagnosisView(nodes=NODES), 70)))
    assert drawn.count("nothing is ill") == 2


def test_what_nobody_has_looked_at_yet_is_not_called_well() -> None:
    assert texts(side(DiagnosisView(remark="not ready yet"), 70)) == ["  not ready yet"]
    assert texts(side(DiagnosisView(), 70)) == []


def test_nobody_is_told_that_nothing_is_ill_while_pods_cannot_be_seen() -> None:
    drawn = "\n".join(texts(side(DiagnosisView(nodes=NODES, blind=True), 70)))
    assert drawn.count("whether anything is ill is not known") == 2
    assert "nothing is ill" not in drawn


@pytest.mark.asyncio
async def test_the_cursor_starts_at_the_last_answer_and_enter_shows_its_row() -> None:
    pane = DiagnosisPane()
    app = DiagnosisApp(pane)
    async with app.run_test(size=(100, 40)) as pilot:
        pane.show(VIEW)
        await pilot.press("enter", "down", "enter", "end", "enter", "home", "up", "enter")

    jumps = [message.place for message in app.heard if isinstance(message, DiagnosisPane.Jump)]
    assert jumps == [POD, None, PlaceView("changes", "helm:prod/bank/12"), POD]


@pytest.mark.asyncio
async def test_g_opens_the_guide_of_the_scenario_under_the_cursor_else_of_the_one_that_fits_best() -> None:
    pane = DiagnosisPane("side")
    app = DiagnosisApp(pane)
    async with app.run_test(size=(100, 40)) as pilot:
        pane.show(VIEW)
        await pilot.press("end", "g", "home", "down", "g", "y")

    assert [message.scenario for message in app.heard if isinstance(message, DiagnosisPane.Guide)] == [
        "payments",
        "outage",
    ]
    assert app.heard[-1].text == "1  Outage\n✓ nodes not ready: 2 of 4"


@pytest.mark.asyncio
async def test_the_cursor_stays_on_its_item_while_others_come_and_go() -> None:
    pane = DiagnosisPane()
    async with DiagnosisApp(pane).run_test(size=(100, 40)) as pilot:
        pane.show(VIEW)
        await pilot.press("end")
        assert pane.selected is not None
        assert pane.selected.key == "change:r12"
        newer = replace(VIEW.suspects[0], id="r13", what="revision 13")
        pane.show(replace(VIEW, suspects=(newer, *VIEW.suspects)))
        assert pane.selected.key == "change:r12"
        pane.show(replace(VIEW, suspects=()))
        assert pane.selected.key == "node:b"


@pytest.mark.asyncio
async def test_every_part_fits_a_small_terminal() -> None:
    pane = DiagnosisPane()
    app = DiagnosisApp(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.show(VIEW)
        await pilot.press("end")
        assert "revision 12 of bank" in app.text
        assert app.widths() == {40}


def full_of(text: str) -> DiagnosisView:
    """A view in which every word is this one."""
    node = NodeView(id="a", text=text, answer="no", lit=True, evidence=text, no="b", place=POD)
    suspect = SuspectView(id=text, what=text, short=text, by=text, when=text, span=text, why=text)
    return DiagnosisView(
        nodes=(node, NodeView(id="b", text=text, answer=text, evidence=text)),
        scenarios=(ScenarioView(id=text, number=1, title=text, reasons=((text, text),), missing=(text, text)),),
        suspects=(suspect, replace(suspect, id="other", span="")),
        after=(replace(suspect, id="after", after=True),),
        symptom_at=text,
        remark=text,
    )


@given(HOSTILE, st.integers(4, 120))
@settings(deadline=None, max_examples=examples(25))
def test_hostile_text_stays_text(text: str, cells: int) -> None:
    view = full_of(text)
    for item in (*tree(view.nodes, cells), *side(view, cells)):
        for row in item.rows:
            line = "".join(part for part, _ in row)
            assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in line), line
            assert cell_len(line) <= max(
                cells, 70
            )  # below that a row keeps what makes it one, and is cut on the screen
