"""What can be chosen in a plan, and how a plan is laid out: nothing acts by the way, nothing is torn or cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from textual import events
from textual.app import App
from textual.screen import ModalScreen
from textual.widgets import Input, Select

from drill.observing import Request
from runbook.plan import Field
from runbook.playbook import MitigationSettings, Playbook
from tests.pilot.acting import Stage, stage
from tests.pilot.console_harness import NARROW, WIDE
from tui.screens.plan import PlanScreen
from tui.screens.plan_body import PlanBody
from tui.screens.plan_confirmation import PlanConfirmation
from tui.screens.plan_fields import PlanFields
from widgets.diff_view import DiffView

LONG = "the settlement run of the clearing house is under way until 15:00, and what it began must not be torn apart"
WARNED = Playbook(quiet_for=0.2, mitigations={"scale": MitigationSettings(warnings=(LONG,))})


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("wide")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("narrow"), size=NARROW) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", params=["wide"])
async def at(request: pytest.FixtureRequest, wide: Stage, narrow: Stage) -> AsyncIterator[Stage]:
    """For those who only read plans, on a console of either size: nothing was ever sent from it."""
    found = {"wide": wide, "narrow": narrow}[request.param]
    yield found
    await found.console.at_rest()
    assert found.writes == []


def whole(screen: PlanScreen) -> bool:
    """The box with its border is on the screen, and the buttons with theirs are in the box."""
    box, confirmation = screen.query_one("#plan-box"), screen.query_one(PlanConfirmation)
    return screen.region.contains_region(box.region) and box.content_region.contains_region(confirmation.region)


async def test_tab_goes_to_what_can_be_chosen_and_enter_there_carries_nothing_out(at: Stage) -> None:
    await at.select("aks-system-00000", "nodes")
    screen = await at.plan("C")
    await at.read(screen)
    await at.console.press("tab", "enter")
    await at.console.until(lambda: screen.query_one(Select).expanded, "the list of what to do with the node")
    await at.console.press("down", "enter")
    await at.console.until(lambda: screen.plan is not None and screen.plan.verb == "Drain", "the plan to drain")

    assert at.console.room.gates.acts == []
    assert at.writes == []


async def test_a_number_that_is_typed_takes_the_place_of_the_one_that_stands_there(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("S")
    await at.console.until(lambda: "choose another number: tab" in at.said(screen), "what to do")
    await at.console.press("tab", "5")
    await at.console.until(lambda: screen.plan is not None and screen.plan.title.endswith("to 5"), "the plan for 5")


async def test_a_plan_for_what_was_typed_before_is_not_shown_beside_what_stands_there_now(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("S")
    number = screen.query_one(PlanFields).query_one(Input)
    server = at.platform.platform.server

    def hold(request: Request) -> None:
        if request.method == "PATCH":  # the rehearsal: with its answer the plan is complete
            server.faults.freeze()

    server.observers.append(hold)
    try:
        number.value = "5"
        await at.console.until(lambda: server.faults.frozen, "the plan for 5 all but complete")
        number.value = "50"
        await at.console.until(lambda: screen._choices.get("replicas") == "50", "the new number heard")
    finally:
        server.observers.remove(hold)
        server.faults.thaw()
    await at.console.until(lambda: screen.plan is not None and screen.plan.title.endswith("to 50"), "the plan for 50")


async def test_yes_and_no_are_told_by_a_word(at: Stage) -> None:
    await pods_of(at, "account-service")
    await at.plan("Q")
    await at.console.until(lambda: any("evidence first    [x] yes" in line for line in at.console.lines), "yes")
    await at.console.until(lambda: any("detach            [ ] no" in line for line in at.console.lines), "no")


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_remark_stays_whole_and_a_line_that_wraps_is_indented(tmp_path: Path, size: tuple[int, int]) -> None:
    async with stage(tmp_path, size=size, playbook=WARNED) as at:
        await at.select("account-service")
        screen = await at.plan("S")
        await at.console.press("tab", "4")
        await at.console.until(lambda: screen.plan is not None and screen.plan.title.endswith("to 4"), "the plan for 4")
        await at.console.until(lambda: "space acknowledges" in at.console.text, "the hint, whole")

        def indented() -> bool:
            lines, first = at.console.lines, at.console.line("! runbook:")
            second, place = lines[lines.index(first) + 1], first.index("runbook:")
            return second[place - 4 : place] == "    " and second[place] not in " ┃"

        await at.console.until(indented, "the second line below the first")


@pytest.mark.parametrize("at", ["wide", "narrow"], indirect=True)
@pytest.mark.parametrize("key", ["T", "B"])
async def test_the_box_and_its_buttons_are_whole_however_much_a_plan_says(at: Stage, key: str) -> None:
    await at.select("payment-service")
    screen = await at.plan(key)
    await at.console.until(lambda: whole(screen), "all of the box on the screen")


async def test_a_diff_that_fits_has_no_scroll_bar(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("R")
    view = screen.query_one(DiffView)

    await at.console.until(lambda: view.line_count == view.content_size.height, "all of it on the screen")
    assert not any(segment.text == "▐" for y in range(view.line_count) for segment in view.render_line(y))


@pytest.mark.parametrize("at", ["narrow"], indirect=True)
async def test_a_held_key_scrolls_by_a_line_each_time_however_late_the_next_frame_comes(at: Stage) -> None:
    await at.select("payment-service")
    screen = await at.plan("T")
    body = screen.query_one(PlanBody)
    await at.console.until(lambda: body.max_scroll_y >= 3, "a plan that is longer than the screen")
    for _ in range(3):
        at.console.app.post_message(events.Key("j", "j"))

    await at.console.until(lambda: body.scroll_y == 3, "three lines down")


async def pods_of(at: Stage, workload: str) -> None:
    """The cursor on the first pod of a workload whose pods are folded."""
    await at.select(workload)
    await at.console.press("right", "down")
    await at.console.until(lambda: f"{workload}-" in str(at.console.names("pods")), f"pods of {workload}")


@pytest.mark.parametrize("at", ["narrow"], indirect=True)
async def test_at_80_by_24_what_was_found_is_in_sight_and_what_to_type_stands_where_it_is_typed(at: Stage) -> None:
    await at.select("payment-service")
    screen = await at.plan("B")
    assert screen.plan is not None
    await at.console.says(f"  type {screen.plan.phrase}  ")
    await at.console.press("escape")
    await at.console.home()

    await at.select("payment-service")
    await at.plan("T")
    await at.console.until(lambda: "<<'EOF'  …" in at.console.text, "that the command is longer")
    await at.console.says("! mesh: no pod")
    assert "What changes" not in at.console.text  # it comes after what has to be acknowledged
    await at.console.press(*["down"] * 12)
    await at.console.says("What changes")
    await at.console.press("escape")
    await at.console.home()

    await at.console.press("right", "down")
    await at.plan("Q")
    for verb in ("logs", "apply", "label"):  # each of its commands, however long what is applied is
        await at.console.says(f" {verb} ")
    await at.console.press("escape")
    await at.console.home()

    await at.select("payment-service")
    await at.plan("O")

    def shortened() -> bool:
        lines, field = at.console.lines, at.console.line("revision       2 ")
        below = lines[lines.index(field) + 1]
        return "now 3" in field and field.rstrip(" ┃│╮").endswith("…") and "$ kubectl --context drill-prod" in below

    await at.console.until(shortened, "the field on one line, and the command below it")


@pytest.mark.parametrize("at", ["narrow"], indirect=True)
async def test_a_warning_is_not_acknowledged_before_it_is_in_sight(at: Stage) -> None:
    await at.select("payment-service")
    screen = await at.plan("T")
    await at.console.press(*["down"] * 30)
    await at.console.until(lambda: "mesh: no pod" not in at.console.text, "the warning out of sight")
    await at.console.press("space")
    await at.console.says("mesh: no pod of banking-platform-prod has an Istio sidecar: only")
    await at.console.until(lambda: "read it, then press space again" in at.said(screen), "what to do")
    await at.console.press("space")
    await at.console.says("acknowledged")


async def test_fields_that_are_left_while_they_come_end_nothing() -> None:
    choice = Field(id="act", label="act", kind="choice", value="a", options=(("a", "this"), ("b", "that")))
    for moments in range(4):
        app: App[None] = App()
        async with app.run_test() as pilot:
            screen: ModalScreen[None] = ModalScreen()
            await app.push_screen(screen)
            fields = PlanFields()
            await screen.mount(fields)
            coming = asyncio.create_task(fields.show([choice], {}))
            for _ in range(moments):
                await asyncio.sleep(0)
            screen.dismiss()
            await pilot.pause()
            await asyncio.gather(coming, return_exceptions=True)
            assert app.is_running
