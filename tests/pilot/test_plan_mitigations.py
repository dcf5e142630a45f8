"""Every mitigation through its key: the plan's essentials on the screen, a yes, and the outcome on the timeline.

R and S are in test_plan_screen.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pilot.acting import QUICK, Stage, stage
from tests.pilot.console_harness import NARROW
from tui.screens.choose import ChooseScreen
from tui.screens.plan import PlanScreen
from widgets.pod_groups import PodRow

PROD = "banking-platform-prod"
STATE = "XDG_STATE_HOME"


async def shown(at: Stage, *parts: str) -> None:
    """These words are on the screen, or come on it when the plan is scrolled to its end."""
    await at.console.says("Before it runs")
    await at.console.says("PRODUCTION  drill-prod")
    seen = ""

    def missing() -> list[str]:
        nonlocal seen
        text = at.console.text
        seen += text + at.commands(text)
        return [part for part in parts if part not in seen]

    if missing():
        await at.console.press(*["down"] * 30)
    await at.console.until(lambda: not missing(), f"all of {parts}")


async def ended(at: Stage, title: str) -> str:
    """The act's outcome, once the timeline has it."""

    def outcome() -> str:
        line = at.console.entry(re.escape(title))
        return (line and line.outcome) or ""

    await at.console.until(outcome, f"the outcome of {title}")
    return outcome()


async def worked(at: Stage, screen: PlanScreen) -> str:
    """Say yes to the plan, see it through, and what its outcome says."""
    plan = screen.plan
    assert plan is not None
    assert plan.blocked == ()
    await at.confirm(screen)
    await at.console.home()
    outcome = await ended(at, plan.title)
    assert outcome.startswith("worked"), outcome
    return outcome


async def a_pod(at: Stage, workload: str = "account-service") -> str:
    """The cursor on the first pod of a workload whose pods are folded; the pod's name."""
    await at.select(workload)
    await at.console.press("right", "down")

    def pod() -> str:
        row = at.console.desk.selected_row()
        return row.pod.name if isinstance(row, PodRow) else ""

    await at.console.until(lambda: pod().startswith(f"{workload}-"), f"a pod of {workload}")
    return pod()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Evidence lands beside the store."""
    monkeypatch.setenv(STATE, str(tmp_path / "state"))
    return tmp_path / "state"


def manifests(state: Path) -> int:
    return len(list(state.rglob("MANIFEST.sha256")))


async def test_o_goes_back_to_the_revision_before_and_u_goes_forward_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("payment-service")
        screen = await at.plan("O")
        await shown(
            at,
            "Undo the rollout of deployment/payment-service: back to revision 2",
            f"$ kubectl … rollout undo deployment/payment-service --to-revision=2 -n {PROD}",
            "-         image: bankingacr.azurecr.io/payment-service:1.5.0",
            "+         image: bankingacr.azurecr.io/payment-service:1.4.0",
            "! helm: Helm owns it",
            "undo: go forward again to revision 3",
        )
        await at.console.until(lambda: at.console.line("now 3: payment-service:1.5.0"), "on one line")
        await worked(at, screen)
        assert len(at.writes) == 1

        await at.console.press("U")
        await at.console.on(ChooseScreen)
        await at.console.says("go forward again to revision 3")
        await at.console.press("enter")
        screen = await at.planned()
        await shown(
            at,
            "back to revision 3",
            "takes back: Undo the rollout of deployment/payment-service: back to revision 2",
            "+         image: bankingacr.azurecr.io/payment-service:1.5.0",
        )
        await at.confirm(screen)
        await at.console.until(lambda: len(at.writes) == 2, "the rollout forward")


async def test_b_rolls_the_release_back_by_helm(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("payment-service")
        screen = await at.plan("B")
        await shown(
            at,
            f"Roll back {PROD} from revision 3 to revision 2",
            f"rollback {PROD} 2 --namespace {PROD}",
            "+         image: bankingacr.azurecr.io/payment-service:1.4.0",
            "unchanged: ",
            "✓ release: revision 3 is deployed, not pending",
            "undo: roll forward to revision 3 again",
        )
        outcome = await worked(at, screen)
        assert "3 of 3 ready" in outcome


async def test_t_redirects_and_a_second_press_takes_it_away(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("account-service")
        screen = await at.plan("T")
        await shown(
            at,
            "Redirect account-service: answer 503 to requests with the header maintenance: true",
            "$ kubectl … apply --server-side --field-manager=warroom-INC-",
            "VirtualService/account-service-maintenance",
            "✓ allowed: create virtualservices.networking.istio.io",
        )
        await worked(at, screen)
        await at.select("account-service")
        screen = await at.plan("T")
        await shown(at, "$ kubectl … delete virtualservice", "- kind: VirtualService")
        await worked(at, screen)
        assert [request.method for request in at.writes] == ["PATCH", "DELETE"]


async def test_q_keeps_evidence_and_quarantines_one_pod(tmp_path: Path, state: Path) -> None:
    async with stage(tmp_path) as at:
        pod = await a_pod(at)
        screen = await at.plan("Q")
        await shown(
            at,
            f"Quarantine pod/{pod}",
            "evidence first",
            "+     quarantine: 'true'",
            "NetworkPolicy/quarantine",
            "! network: the policy holds only if the cluster's network enforces NetworkPolicies",
        )
        outcome = await worked(at, screen)
        assert f"pod/{pod} is labelled quarantine=true" in outcome
        assert manifests(state) == 1


async def test_a_ticked_field_gives_space_back_to_the_warnings(tmp_path: Path, state: Path) -> None:
    async with stage(tmp_path) as at:
        await a_pod(at)
        screen = await at.plan("Q")
        first = screen.plan
        await at.console.press("tab", "tab", "space")
        await at.console.until(lambda: screen.plan not in (None, first), "the plan with detach")
        assert screen.plan is not None
        assert screen.plan.choices["detach"] == "yes"
        await at.read(screen)  # with space
        assert not screen._unread
        assert screen.plan.choices["detach"] == "yes"


async def test_e_captures_into_a_folder_and_sends_nothing(tmp_path: Path, state: Path) -> None:
    async with stage(tmp_path) as at:
        pod = await a_pod(at)
        screen = await at.plan("E")
        await shown(
            at,
            f"Preserve evidence of pod/{pod}",
            f"$ kubectl … logs {pod} -n {PROD} --all-containers --timestamps",
            "hits: nothing: it only reads",
            "verified by: every file read again and compared with MANIFEST.sha256",
        )
        outcome = await worked(at, screen)
        assert "as in the manifest" in outcome
        assert manifests(state) == 1
        assert at.writes == []


async def test_k_deletes_one_pod_and_sees_another_come(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        pod = await a_pod(at)
        screen = await at.plan("K")
        await shown(
            at,
            f"Delete pod/{pod}",
            f"$ kubectl … delete pod {pod} -n {PROD}",
            "✓ owner: Deployment/account-service makes another one",
            "undo: a deleted pod does not come back",
        )
        await worked(at, screen)
        assert [(request.method, request.path.rpartition("/")[2]) for request in at.writes] == [("DELETE", pod)]


async def test_c_cordons_a_node(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        await at.select("aks-system-00000", "nodes")
        screen = await at.plan("C")
        await shown(
            at,
            "Cordon node/aks-system-00000",
            "$ kubectl … cordon aks-system-00000",
            "+   unschedulable: true",
            "hits: no pod is touched",
            "undo: uncordons it",
        )
        outcome = await worked(at, screen)
        assert "takes no new pods" in outcome


async def test_x_asks_from_inside_a_pod(tmp_path: Path) -> None:
    async with stage(tmp_path, playbook=QUICK) as at:
        pod = await a_pod(at, "api-gateway")
        screen = await at.plan("X")
        await shown(
            at,
            f"Check external-payment-gateway.com from pod/{pod}",
            f"$ kubectl … exec {pod} -n {PROD} -- curl -v",
            "✓ container: container api-gateway: ready",
            "hits: one GET from inside one pod",
        )
        outcome = await worked(at, screen)
        assert "external-payment-gateway.com answered 200" in outcome

        await at.console.pilot.resize_terminal(*NARROW)
        await at.console.press("w")
        await at.console.says("undo: there is nothing to take back")  # below all that curl said
