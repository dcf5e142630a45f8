"""From a key to an act: what a plan says, what confirms it, and everything that does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from textual import events

from drill.platform import running
from incident.entry import Kind
from runbook.playbook import MitigationSettings, Playbook
from tests.drill.small_scenario import SMALL
from tests.pilot.acting import Stage, looked_at, ready, stage
from tests.pilot.console_harness import NARROW, opened, options_for
from tui.screens.acts import ActsScreen
from tui.screens.choose import ChooseScreen
from tui.screens.plan import PlanScreen
from tui.screens.plan_confirmation import PhraseInput
from widgets.acts_strip import ActsStrip
from widgets.deliberation import PASTED

NAME_WANTED = Playbook(quiet_for=0.2, mitigations={"restart": MitigationSettings(friction="name")})
WARNED = Playbook(quiet_for=0.2, mitigations={"restart": MitigationSettings(warnings=("settlement runs until 15:00",))})


WARNED_AND_NAMED = Playbook(
    quiet_for=0.2, mitigations={"restart": MitigationSettings(friction="name", warnings=("settlement runs",))}
)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def at(shared: Stage) -> AsyncIterator[Stage]:
    """For those who only read plans: nothing was ever sent from it."""
    yield shared
    await shared.console.at_rest()
    assert shared.writes == []


async def restart_plan(at: Stage, workload: str = "account-service") -> None:
    await at.select(workload)
    await at.plan("R")


async def test_a_plan_says_where_what_and_how_and_cancel_has_the_focus(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("R")
    for part in (
        "PRODUCTION",
        "drill-prod · banking-platform-prod",
        "kubectl.kubernetes.io/restartedAt",
        "✓ allowed: patch deployments.apps as admin",
        "verified by: 3 of 3 new pods ready",
        "undo: a restart cannot be taken back",
    ):
        await at.console.says(part)
    command = "$ kubectl … rollout restart deployment/account-service -n banking-platform-prod"
    await at.console.until(lambda: command in at.commands(at.console.text), "the command")
    assert screen.focused is not None
    assert screen.focused.id == "plan-no"
    assert at.writes == []


async def test_where_it_would_act_is_said_even_if_no_plan_can_be_made(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("account-service")
        await at.platform.platform.server.refuse()
        await at.console.press("R")
        await at.console.on(PlanScreen)
        await at.console.says("✗ ")
        await at.console.says("PRODUCTION  drill-prod · banking-platform-prod")
        await at.console.says("Restart deployment/account-service")


async def test_a_blocked_plan_that_is_only_left_was_not_refused(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.console.says("ARMED")
        await at.console.press("A")
        for name, keys, verdict in (("account", ["escape"], "cancelled"), ("card", ["!", "escape"], "refused")):
            await at.select(f"{name}-service")
            await at.plan("R")
            await at.console.press(*keys)
            await at.console.home()
            line = await at.console.notes(f"Restart deployment/{name}-service")
            assert (line.outcome or "").startswith(verdict)
            assert "blocked: armed: this is production and the console is disarmed" in (line.outcome or "")


async def test_enter_right_after_the_key_cancels_and_that_is_on_the_record(at: Stage) -> None:
    await restart_plan(at, "api-gateway")
    await at.console.press("enter")
    await at.console.home()
    line = await at.console.notes("Restart deployment/api-gateway")

    assert line.entry.kind is Kind.MITIGATION
    assert "cancelled" in (line.outcome or line.text)
    assert at.writes == []


async def test_one_deliberate_key_carries_out_what_is_small_and_the_line_grows_to_its_outcome(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("account-service")
        await at.do("R")
        await at.console.until(lambda: len(at.writes) == 1, "one write")
        await at.console.until(lambda: at.console.desk.query_one(ActsStrip).rows, "the act over the keys")
        await at.console.says("Restart deployment/account-service")
        line = await at.console.notes("Restart deployment/account-service")
        await at.console.until(
            lambda: "worked" in (((found := at.console.entry("Restart deployment")) and found.outcome) or ""), "verdict"
        )
        intents = [entry for entry in at.console.timeline if entry.entry.kind is Kind.MITIGATION]

        assert [entry.id for entry in intents] == [line.id]
        assert len(at.writes) == 1
        assert at.writes[0].query["fieldManager"] == f"warroom-{line.entry.incident}"


async def test_a_key_that_is_held_or_pressed_twice_confirms_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("account-service")
        for _ in range(5):
            await at.console.press("R")
        screen = await at.planned()
        await looked_at(at.console, screen)
        for _ in range(40):
            if at.console.app.screen is not screen:
                break
            await at.console.press("exclamation_mark")

        # The first ! after a calm look is a deliberate one; those that repeat it find the plan used.
        assert len(at.console.room.gates.acts) <= 1
        await at.console.until(lambda: len(at.writes) <= 1, "at most one write")


async def test_nothing_is_confirmed_before_the_plan_could_be_read(at: Stage) -> None:
    await at.select("account-service")
    await at.burst("R!!!!")
    await at.planned()
    await at.burst("!!!!!!")

    assert at.console.room.gates.acts == []
    assert at.writes == []


async def test_a_warning_has_to_be_acknowledged_first(tmp_path: Path) -> None:
    async with stage(tmp_path, playbook=WARNED) as at:
        await at.select("account-service")
        screen = await at.plan("R")
        await at.console.says("settlement runs until 15:00")
        await looked_at(at.console, screen)
        await at.console.press("exclamation_mark")

        assert "acknowledge" in at.said(screen)
        assert at.writes == []

        await at.confirm(screen)
        await at.console.until(lambda: len(at.writes) == 1, "one write")
        line = await at.console.notes("Restart deployment/account-service")
        evidence = await at.console.room.journal.evidence(line.id)
        assert evidence is not None
        assert evidence["act"]["acknowledged"] == ["settlement runs until 15:00"]


async def test_where_the_name_is_wanted_only_typing_it_confirms(tmp_path: Path) -> None:
    async with stage(tmp_path, playbook=NAME_WANTED) as at:
        await at.select("account-service")
        screen = await at.plan("R")
        phrase = screen.query_one(PhraseInput)
        await at.read(screen)
        await at.console.press("exclamation_mark")
        assert "type account-service" in at.said(screen)

        phrase.focus()
        phrase.post_message(events.Paste("account-service"))
        await at.console.until(lambda: "pasting does not confirm" in at.said(screen), "that pasting does not count")
        assert phrase.value == ""

        await at.burst("account-service")
        await looked_at(at.console, screen)
        await at.console.press("enter")
        await at.console.until(lambda: at.said(screen) == PASTED, "that it came all at once")
        assert at.writes == []

        await at.console.press("ctrl+u", "space")  # one too many, from the warnings
        await at.confirm(screen)
        await at.console.until(lambda: len(at.writes) == 1, "one write")


async def test_production_is_disarmed_until_somebody_arms_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.console.says("ARMED")  # declaring an incident armed it
        await at.console.press("A")
        await at.console.says("disarmed")
        await at.select("account-service")
        screen = await at.plan("R")
        await at.console.says("✗ armed: this is production and the console is disarmed")
        await at.read(screen)
        await at.console.press("exclamation_mark")
        assert "blocked" in at.said(screen)
        await at.console.press("escape")
        await at.console.home()

        await at.console.press("A")
        await at.console.says("ARMED")
        await at.do("R")
        await at.console.until(lambda: len(at.writes) == 1, "one write")


async def test_arming_before_the_console_can_act_counts_as_soon_as_it_can(tmp_path: Path) -> None:
    async with running(SMALL) as platform, opened(options_for(platform, tmp_path / "w.db"), live=False) as console:
        platform.platform.server.faults.freeze()
        await console.until(lambda: console.app.screen is console.desk, "console")
        await console.until(lambda: console.room.session.view is not None, "a cluster")
        assert console.room.gate is None
        await console.press("A")
        await console.tells("will be armed as soon as it can act")
        platform.platform.server.faults.thaw()
        await ready(console, declared=False)
        await console.says("ARMED")


async def test_a_read_only_console_plans_and_carries_out_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, read_only=True) as at:
        await at.select("account-service")
        screen = await at.plan("R")
        await at.console.says("✗ read-only: this console only looks")
        await at.read(screen)
        await at.console.press("exclamation_mark")

        assert "blocked" in at.said(screen)
        assert at.writes == []


async def test_who_may_only_look_is_told_verb_and_resource(tmp_path: Path) -> None:
    async with stage(tmp_path, user="viewer") as at:
        await at.select("account-service")
        screen = await at.plan("R")

        await at.console.says("viewer may not patch deployments.apps in namespace banking-platform-prod")
        await at.read(screen)
        await at.console.press("exclamation_mark")
        assert "blocked" in at.said(screen)
        assert at.writes == []


async def test_without_an_incident_nothing_is_carried_out(tmp_path: Path) -> None:
    async with stage(tmp_path, declared=False) as at:
        await restart_plan(at)

        await at.console.says("✗ incident: no open incident to record it in")


async def test_what_changed_since_the_plan_was_shown_is_not_touched_and_the_new_plan_is_shown(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("account-service")
        screen = await at.plan("R")
        first = screen.plan
        await at.read(screen)
        store = at.platform.platform.store
        from drill.world import DEPLOYMENT

        found = store.get(DEPLOYMENT, "banking-platform-prod", "account-service")
        assert found is not None
        store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "replicas": 7}}, manager="somebody-else")
        await at.console.press("exclamation_mark")
        await at.console.tells("was changed by somebody else since the plan was shown")
        await at.console.until(lambda: screen.plan is not None and screen.plan is not first, "a new plan")

        assert at.writes == []
        await at.console.says("of 7")
        line = await at.console.notes("Restart deployment/account-service")
        assert "refused" in (line.outcome or line.text)


async def test_acts_on_two_targets_run_at_once_and_the_console_stays_usable(tmp_path: Path) -> None:
    async with stage(tmp_path, speed=0.1) as at:  # neither rollout comes to its end meanwhile
        await at.select("account-service")
        await at.do("R")
        await at.select("card-service")
        await at.do("R")
        await at.console.write("both restarted")
        await at.console.until(lambda: len(at.console.room.gates.acts) == 2, "two acts")
        await at.console.press("w")
        await at.console.on(ActsScreen)
        await at.console.says("Restart deployment/card-service")
        await at.console.says("Restart deployment/account-service")
        await at.console.press("escape")
        await at.console.home()

        await at.select("account-service")
        await at.plan("R")
        await at.console.says("another act runs on this target")


async def test_a_key_says_why_it_does_nothing_here(at: Stage) -> None:
    await at.select("aks-system-00000", "nodes")
    await at.console.press("R")
    await at.console.tells("restart: not a workload")

    assert at.console.app.screen is at.console.desk


async def test_undo_lists_what_was_done_and_says_why_a_restart_stays(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.console.press("U")
        await at.console.tells("nothing was done in this incident")
        await at.select("account-service")
        await at.do("R")
        await at.console.notes("Restart deployment/account-service")
        await at.console.until(lambda: not any(act.outcome is None for act in at.console.room.gates.acts), "the end")
        await at.console.press("U")
        await at.console.on(ChooseScreen)
        await at.console.says("Restart deployment/account-service")
        await at.console.press("enter")
        await at.console.tells("cannot be taken back: a restart cannot be taken back")


async def test_at_80_by_24_the_question_and_both_buttons_are_on_the_screen(tmp_path: Path) -> None:
    async with stage(tmp_path, size=NARROW) as at:
        await at.select("account-service")
        await at.plan("R")

        def has(*parts: str) -> bool:
            return any(all(part in line for part in parts) for line in at.console.lines)

        await at.console.until(lambda: has("Restart deployment/account-service"), "the question")
        await at.console.until(lambda: has("Cancel  esc", "Restart  !"), "both buttons")
        assert has("! carries it out")


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_leaving_a_plan_sends_nothing(at: Stage, key: str) -> None:
    await restart_plan(at)
    await at.console.press(key)
    await at.console.home()

    assert at.writes == []
    assert at.console.room.gates.acts == []


async def test_the_plan_hears_every_key_whichever_widget_has_the_focus(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("R")
    before = screen.deliberation.count
    await at.console.press("j", "k", "right", "left")

    assert screen.deliberation.count == before + 4


async def test_a_plan_that_is_left_twice_at_once_leaves_the_console_where_it_is(at: Stage) -> None:
    await at.select("account-service")
    screen = await at.plan("R")
    screen.dismiss()
    screen.dismiss()
    await at.console.home()
    await at.console.says("account-service")


async def test_a_number_is_typed_entered_and_its_warnings_acknowledged_without_a_detour(tmp_path: Path) -> None:
    async with stage(tmp_path, playbook=Playbook(mitigations={"scale": MitigationSettings(warnings=("quota",))})) as at:
        await at.select("account-service")
        screen = await at.plan("S")
        await at.console.press("tab", "end", "backspace", "5")
        await at.console.until(lambda: screen.plan is not None and "to 5" in screen.plan.title, "the plan for 5")
        await at.console.press("enter")
        await at.confirm(screen)
        await at.console.until(lambda: len(at.writes) == 1, "one write")
        assert at.writes[0].json()["spec"] == {"replicas": 5}


async def test_a_key_that_acts_means_the_same_on_the_timeline(at: Stage) -> None:
    await at.console.press("6", "O")
    await at.console.tells("undo rollout: ")
    assert "only people" not in at.console.text


async def test_what_is_said_about_typing_the_name_is_true_wherever_the_focus_is(tmp_path: Path) -> None:
    async with stage(tmp_path, playbook=WARNED_AND_NAMED) as at:
        await restart_plan(at)
        screen = await at.planned()
        await at.read(screen)  # the last warning acknowledged, the focus is where the name is typed
        await at.console.until(lambda: at.said(screen) == "type account-service and press enter", "what to do here")
        assert screen.query_one(PhraseInput).has_focus
        await at.console.press("tab")
        await at.console.until(
            lambda: at.said(screen) == "tab, then type account-service and press enter", "from there"
        )
        await at.console.press("tab")
        await at.type_slowly("account-service")
        assert screen.query_one(PhraseInput).value == "account-service"
