"""Quarantine, as somebody at the desk gets it: evidence, policy, label, in that order, and all of it taken back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from runbook.errors import Changed, NoPlan, Refused
from runbook.mitigations import TABLE
from runbook.plan import Aim, Level, Plan, Verdict
from runbook.playbook import MitigationSettings, Playbook
from runbook.quarantine_release import KEPT
from tests.drill.mitigation_desk import INCIDENT, PROD, Desk, Json, finding, told, until, without_cluster
from tests.drill.small_scenario import village

POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{PROD}/networkpolicies"
DENY_ALL = {"podSelector": {"matchLabels": {"quarantine": "true"}}, "policyTypes": ["Ingress", "Egress"]}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def first(at: Desk, workload: str = "account-service") -> str:
    return str(at.pods(workload)[0]["metadata"]["name"])


def labels(at: Desk, name: str) -> dict[str, str]:
    return dict(at.get("pods", name)["metadata"].get("labels") or {})


def label(at: Desk, name: str, **more: str) -> None:
    """Somebody else labels a pod."""
    pod = at.get("pods", name)
    at.put("pods", {**pod, "metadata": {**pod["metadata"], "labels": {**labels(at, name), **more}}})


def policies(at: Desk) -> list[str]:
    return [policy["metadata"]["name"] for policy in at.all("networkpolicies")]


def put_policy(at: Desk, name: str = "quarantine", **spec: object) -> Json:
    return at.put("networkpolicies", {"metadata": {"name": name}, "spec": {**DENY_ALL, **spec}})


def serving(at: Desk, service: str = "account-service") -> set[str]:
    """The pods behind a service."""
    pieces = [one for one in at.all("endpointslices") if one["metadata"]["name"].startswith(service)]
    return {end["targetRef"]["name"] for piece in pieces for end in piece["endpoints"]}


def folder_of(plan: Plan) -> Path:
    return Path(plan.steps["evidence"]["folder"])


async def test_a_pod_is_held_by_a_policy_that_denies_all_after_its_evidence_is_safe() -> None:
    async with village() as at:
        name = first(at)
        plan, outcome = await at.carried_out("quarantine", at.aim("Pod", name))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert "NetworkPolicy quarantine denies all to and from it" in outcome.text
        assert [str(write) for write in at.writes] == [
            f"POST {POLICIES}",
            f"PATCH /api/v1/namespaces/{PROD}/pods/{name}",
        ]
        assert labels(at, name)["quarantine"] == "true"
        policy = at.get("networkpolicies", "quarantine")
        assert policy["spec"] == DENY_ALL
        for obj in (policy, at.get("pods", name)):
            assert obj["metadata"]["annotations"]["warroom/act"] == plan.id
            assert obj["metadata"]["annotations"]["warroom/incident"] == INCIDENT
        log = folder_of(plan) / f"original/pods/{name}/logs/account-service.log"
        before = json.loads((folder_of(plan) / f"original/pods/{name}/pod.json").read_text())
        assert log.stat().st_size > 0
        assert "quarantine" not in before["metadata"]["labels"], "captured before anything was changed"
        assert str(folder_of(plan)) in outcome.text
        assert serving(at) >= {name}, "not detached: it keeps its place"


async def test_the_plan_shows_what_a_person_would_type_and_what_changes() -> None:
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name))
        logs, apply, labelled = told(plan)
        assert logs == f"kubectl logs {name} -n {PROD} --all-containers --timestamps"
        assert apply.startswith("kubectl apply -f - <<'EOF'\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n")
        assert apply.endswith("\n  policyTypes:\n  - Ingress\n  - Egress\nEOF")
        assert labelled == f"kubectl label pod {name} -n {PROD} quarantine=true"
        assert plan.diff.source == "server dry run"
        assert [hunk.title for hunk in plan.diff.hunks] == [f"Pod/{name}", "NetworkPolicy/quarantine"]
        assert finding(plan, "network").level is Level.AMBER, "always: nobody here sees whether it is enforced"
        assert finding(plan, "endpoints").text.startswith("account-service goes on sending to it")
        assert finding(plan, "reach").text == f"it reaches {name} and no other pod: nobody else has the label"
        assert at.writes == []


async def test_the_network_is_named_where_it_can_be_recognised() -> None:
    async with village() as at:
        at.put("daemonsets", {**at.get("daemonsets", "kube-proxy", "kube-system"), **_named("calico-node")})
        plan = await at.plan("quarantine", at.aim("Pod", first(at)))
        assert finding(plan, "network").text.endswith("enforces NetworkPolicies: Calico runs here, which does")


async def test_pods_that_have_the_label_already_are_named_because_the_policy_reaches_them_too() -> None:
    async with village() as at:
        name, other = first(at), first(at, "card-service")
        label(at, other, quarantine="true")
        plan = await at.plan("quarantine", at.aim("Pod", name))
        assert other in finding(plan, "reach", Level.AMBER).text
        assert (plan.wide, plan.phrase) == (True, name), "in production a wide act wants its target typed"
        put_policy(at)
        plan = await at.plan("quarantine", at.aim("Pod", name))
        assert finding(plan, "reach", Level.GREEN).text == f"it reaches {name}; held already: {other}"


async def test_a_policy_that_is_there_is_used_and_another_one_by_its_name_blocks() -> None:
    async with village() as at:
        name = first(at)
        put_policy(at)
        plan, outcome = await at.carried_out("quarantine", at.aim("Pod", name), evidence="no")
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert [write.method for write in at.writes] == ["PATCH"]
        assert len(plan.needs) == 1
        put_policy(at, ingress=[{}])
        plan = await at.plan("quarantine", at.aim("Pod", first(at, "card-service")))
        assert "does not deny all" in finding(plan, "policy", Level.RED).text
        assert plan.blocked


async def test_what_other_policies_let_through_is_told_because_policies_add_up() -> None:
    async with village() as at:
        selector = {"matchLabels": {"app.kubernetes.io/name": "account-service"}}
        put_policy(at, "allow-web", podSelector=selector, policyTypes=["Ingress"], ingress=[{}])
        put_policy(at, "dns-for-all", podSelector={}, policyTypes=["Egress"], egress=[{"ports": [{"port": 53}]}])
        aim = at.aim("Pod", first(at))
        plan = await at.plan("quarantine", aim)
        assert finding(plan, "open", Level.AMBER).text.startswith("allow-web, dns-for-all also are about it")
        assert finding(plan, "open").advice == "detach takes away the labels they go by"
        plan = await at.plan("quarantine", aim, detach="yes")
        assert finding(plan, "open", Level.AMBER).text.startswith("dns-for-all also is about it"), (
            "that one cannot be left"
        )


async def test_a_pod_on_its_nodes_network_is_not_held_and_the_plan_says_so() -> None:
    async with village() as at:
        name = first(at)
        pod = at.get("pods", name)
        at.put("pods", {**pod, "spec": {**pod["spec"], "hostNetwork": True}})
        plan = await at.plan("quarantine", at.aim("Pod", name))
        assert "NetworkPolicies do not hold it" in finding(plan, "host", Level.AMBER).text


async def test_detached_it_leaves_its_services_and_its_owner_which_starts_a_replacement() -> None:
    async with village() as at:
        name = first(at)
        before = labels(at, name)
        plan, outcome = await at.carried_out("quarantine", at.aim("Pod", name), detach="yes", evidence="no")
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert "out of account-service" in outcome.text
        assert "has its 3 pods without it" in outcome.text
        assert finding(plan, "endpoints").text == "account-service keeps 2 of 3 endpoints"
        assert finding(plan, "detach").level is Level.AMBER
        metadata = at.get("pods", name)["metadata"]
        moved = {key: before[key] for key in ("app.kubernetes.io/name", "pod-template-hash")}
        assert json.loads(metadata["annotations"][KEPT]) == moved
        assert metadata["labels"] == {**{key: before[key] for key in before if key not in moved}, "quarantine": "true"}
        assert name not in serving(at)
        assert len(serving(at)) == 3
        assert not metadata.get("ownerReferences")
        assert len(at.pods("account-service")) == 4


async def test_a_statefulset_cannot_replace_a_pod_whose_name_is_taken_and_nobody_waits_for_it() -> None:
    async with village() as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at, "session-cache")), detach="yes")
        assert "cannot start a replacement" in finding(plan, "owner", Level.AMBER).text
        assert plan.steps["replacement"] is None


async def test_in_quarantine_nothing_is_reached_any_more_and_released_it_is() -> None:
    async with village() as at:
        aim = at.aim("Pod", first(at))
        check = {"url": "http://card-service/health", "timeout": "2"}
        _, before = await at.carried_out("connectivity", aim, **check)
        plan, _ = await at.carried_out("quarantine", aim, evidence="no")
        _, held = await at.carried_out("connectivity", aim, **check)
        await at.undone(plan)
        _, after = await at.carried_out("connectivity", aim, **check)
        assert ["timed out" in one.text for one in (before, held, after)] == [False, True, False], held.text


async def test_released_everything_is_as_it_was() -> None:
    async with village() as at:
        name = first(at)
        before = labels(at, name)
        plan, _ = await at.carried_out("quarantine", at.aim("Pod", name), evidence="no")
        released, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text == f"pod/{name} is released, and NetworkPolicy quarantine is gone"
        assert told(released) == (
            f"kubectl label pod {name} -n {PROD} quarantine-",
            f"kubectl delete networkpolicy quarantine -n {PROD}",
        )
        assert (labels(at, name), policies(at)) == (before, [])


async def test_released_detached_labels_come_back_and_with_them_the_traffic() -> None:
    async with village() as at:
        name = first(at)
        before = labels(at, name)
        plan, _ = await at.carried_out("quarantine", at.aim("Pod", name), detach="yes", evidence="no")
        # So that its ReplicaSet, which then has one too many, has no reason to take this one.
        released = await at.plan("quarantine", at.aim("Pod", name), release="yes")
        warned = finding(released, "labels", Level.AMBER)
        assert "one pod too many" in warned.text
        at.change("deployments", "account-service", replicas=4)
        await until(lambda: len(at.pods("account-service")) == 5, "room for the one that comes back")
        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        metadata = at.get("pods", name)["metadata"]
        assert metadata["labels"] == before
        assert KEPT not in metadata["annotations"]
        await until(lambda: name in serving(at), "back in its service")


async def test_the_policy_stays_for_others_and_where_it_is_not_ours() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("quarantine", at.aim("Pod", first(at)), evidence="no")
        other = first(at, "card-service")
        second, _ = await at.carried_out("quarantine", at.aim("Pod", other), evidence="no")
        released, outcome = await at.undone(plan)
        assert finding(released, "policy").text == f"NetworkPolicy quarantine stays: {other} is held by it"
        assert (outcome.verdict, policies(at)) == (Verdict.WORKED, ["quarantine"])
        at.drop("networkpolicies", "quarantine")
        put_policy(at)
        released, outcome = await at.undone(second)
        assert "was not made by this console" in finding(released, "policy").text
        assert (outcome.verdict, policies(at)) == (Verdict.WORKED, ["quarantine"])


async def test_a_pod_that_comes_into_quarantine_meanwhile_keeps_the_policy() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("quarantine", at.aim("Pod", first(at)), evidence="no")
        other = first(at, "card-service")
        at.before_write(lambda: label(at, other, quarantine="true"))
        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert policies(at) == ["quarantine"], "who came meanwhile is still held"


async def test_in_quarantine_already_the_plan_offers_to_release() -> None:
    async with village() as at:
        aim = at.aim("Pod", first(at))
        await at.carried_out("quarantine", aim, evidence="no")
        plan = await at.plan("quarantine", aim)
        assert finding(plan, "quarantined", Level.RED).advice == "choose release to let it out"
        assert [field.id for field in plan.fields] == ["evidence", "detach", "release"]
        released = await at.plan("quarantine", aim, release="yes")
        assert released.verb == "Release"
        assert not released.blocked


async def test_who_is_not_in_quarantine_cannot_be_released() -> None:
    async with village() as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at)), release="yes")
        assert finding(plan, "quarantined", Level.RED).text == "it is not in quarantine"


async def test_a_pod_that_is_gone_leaves_a_hint_about_the_policy() -> None:
    async with village() as at:
        aim = at.aim("Pod", first(at))
        plan, _ = await at.carried_out("quarantine", aim, evidence="no")
        at.drop("pods", aim.name)
        assert plan.undo.recipe is not None
        with pytest.raises(NoPlan) as raised:
            await at.plan("quarantine", plan.undo.recipe.aim, **plan.undo.recipe.choices)
        assert without_cluster(raised.value.hint).startswith("kubectl get networkpolicy quarantine")


# ---------------------------------------------------------------------- what goes wrong


async def test_evidence_that_cannot_be_kept_is_told_and_stops_nothing(state: Path) -> None:
    await asyncio.to_thread(state.write_text, "not a directory")
    async with village() as at:
        name = first(at)
        act = await at.confirm(await at.plan("quarantine", at.aim("Pod", name)))
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert "evidence is lacking: there is no evidence" in outcome.text
        assert any(text.startswith("no evidence could be captured") for _, text in act.progress)
        assert labels(at, name)["quarantine"] == "true"


async def test_without_evidence_it_is_said_that_the_runbook_wants_it_first(state: Path) -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("quarantine", at.aim("Pod", first(at)), evidence="no")
        assert finding(plan, "evidence", Level.AMBER).advice == "the runbook preserves evidence first"
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert not await asyncio.to_thread(state.exists)


async def test_the_runbook_file_may_detach_by_default() -> None:
    settings = {"quarantine": MitigationSettings(defaults={"detach": "yes"})}
    async with village(playbook=Playbook(mitigations=settings)) as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at)))
        assert plan.choices == {"evidence": "yes", "detach": "yes"}


async def test_a_pod_that_changed_since_the_plan_is_not_touched() -> None:
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name))
        label(at, name, owner="somebody-else")
        with pytest.raises(Changed):
            await at.confirm(plan)
        assert at.writes == []


async def test_half_done_is_told_as_what_was_done_and_what_was_not() -> None:
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name), evidence="no")
        at.before_write(lambda: label(at, name, owner="somebody-else"))
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert outcome.sent is True
        assert outcome.text.startswith(
            f"half done: NetworkPolicy quarantine was created, but pod/{name} was not labelled, so it is not held: "
        )
        assert ("quarantine" in labels(at, name), policies(at)) == (False, ["quarantine"])
        _, undone = await at.undone(plan, outcome)
        assert (undone.verdict, policies(at)) == (Verdict.WORKED, []), "and that half can be taken back"


async def test_a_policy_that_somebody_made_in_the_meantime_is_used_if_it_denies_all_and_else_stops_it() -> None:
    async with village() as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at)), evidence="no")
        put_policy(at)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name), evidence="no")
        put_policy(at, egress=[{}])
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
        assert "which does not deny all; nothing was changed" in outcome.text
        assert "quarantine" not in labels(at, name)


async def test_no_answer_to_the_policy_is_found_out_and_the_label_is_not_claimed() -> None:
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name), evidence="no")
        at.server.faults.unanswered = 1
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text == (
            f"NetworkPolicy quarantine is there, but pod/{name} is not labelled quarantine=true: it is not held"
        )
        assert len(at.writes) == 1, "nothing is sent twice"


async def test_no_answer_to_the_label_is_found_out_too() -> None:
    async with village() as at:
        name = first(at)
        plan = await at.plan("quarantine", at.aim("Pod", name), evidence="no")
        at.before_write(lambda: at.before_write(lambda: setattr(at.server.faults, "unanswered", 1)))
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 2


async def test_what_never_arrived_is_told_as_not_carried_out() -> None:
    async with village() as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at)), evidence="no")
        at.server.faults.unheard = 1
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert policies(at) == []


async def test_a_viewer_sees_the_plan_and_cannot_confirm_it() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("quarantine", at.aim("Pod", first(at)), detach="yes")
        assert "may not patch pods" in finding(plan, "allowed", Level.RED).text
        assert "create networkpolicies.networking.k8s.io" in finding(plan, "allowed").text
        assert plan.diff.source == "computed"
        assert len(plan.diff.hunks) == 2
        with pytest.raises(Refused):
            await at.confirm(plan)
        assert at.writes == []


def test_the_key_is_for_pods() -> None:
    assert TABLE["quarantine"].refuses(Aim(kind="Deployment")) == "not a pod"


def _named(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": "kube-system"}}
