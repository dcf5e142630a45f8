"""Redirecting traffic, as somebody at the desk gets it: the runbook's abort in the mesh, and away with it again."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest
import yaml

from runbook.errors import Changed, NoPlan, NotSent
from runbook.istio import abort_of, complaints, holds, in_the_mesh, maintenance, rivals, unseen
from runbook.media import APPLY
from runbook.mitigations import TABLE
from runbook.plan import Aim, Level, Verdict
from tests.drill.mitigation_desk import INCIDENT, PROD, Desk, agreed, finding, told, without_cluster
from tests.drill.small_scenario import village

Json = dict[str, Any]
VS, NAME = "virtualservices", "payment-service-maintenance"
PATH = f"/apis/networking.istio.io/v1/namespaces/{PROD}/virtualservices/{NAME}"


def names(at: Desk) -> list[str]:
    return [one["metadata"]["name"] for one in at.all(VS)]


def payments(at: Desk) -> Aim:
    return at.aim("Deployment", "payment-service")


async def test_the_runbooks_abort_is_applied_and_a_second_press_takes_it_away() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("redirect", payments(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert "a caller without an Istio sidecar is not affected" in outcome.text
        made = at.get(VS, NAME)
        assert made["spec"]["hosts"] == ["payment-service"]
        abort, others = made["spec"]["http"]
        assert abort["match"] == [{"headers": {"maintenance": {"exact": "true"}}}]
        assert abort["fault"] == {"abort": {"percentage": {"value": 100}, "httpStatus": 503}}
        assert others == {"route": [{"destination": {"host": "payment-service"}}]}
        assert abort["route"] == others["route"]
        assert made["metadata"]["annotations"] == {"warroom/incident": INCIDENT, "warroom/act": plan.id}
        (field,) = made["metadata"]["managedFields"]
        assert (field["manager"], field["operation"]) == (f"warroom-{INCIDENT}", "Apply")
        (write,) = at.writes
        assert (str(write), write.media) == (f"PATCH {PATH}", APPLY)

        again, gone = await at.carried_out("redirect", payments(at))
        assert again.title == "Take the redirect of payment-service away"
        assert told(again) == (f"kubectl delete virtualservices.networking.istio.io {NAME} -n {PROD}",)
        assert gone.verdict is Verdict.WORKED, gone.text
        assert names(at) == []
        assert str(at.writes[-1]) == f"DELETE {PATH}"
        assert at.writes[-1].json()["preconditions"] == {"uid": made["metadata"]["uid"]}


async def test_the_plan_shows_the_object_and_a_command_that_makes_the_same() -> None:
    async with village() as at:
        plan = await at.plan("redirect", payments(at), status="429", match="all")
        (command,) = told(plan)
        first, *body, last = command.splitlines()
        assert first == f"kubectl apply --server-side --field-manager=warroom-{INCIDENT} -f - <<'EOF'"
        assert last == "EOF"
        shown = yaml.safe_load("\n".join(body))
        assert shown == maintenance("networking.istio.io/v1", PROD, "payment-service", 429, everybody=True)
        assert plan.diff.source == "server dry run"
        (hunk,) = plan.diff.hunks
        assert hunk.title == f"VirtualService/{NAME}"
        assert any(line.startswith("+") and "httpStatus: 429" in line for line in hunk.lines)
        assert not at.writes
        assert names(at) == []
        if shutil.which("kubectl"):
            await kubectl(at, command)
            assert at.get(VS, NAME)["spec"] == shown["spec"]


async def kubectl(at: Desk, command: str) -> None:
    """Paste a command into a shell, as a person would."""
    known = {"KUBECONFIG": str(at.running.kubeconfig), "HOME": str(at.running.kubeconfig.parent)}
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", command, env={"PATH": "/usr/bin:/bin:/usr/local/bin", **known},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await shell.communicate()
    assert shell.returncode == 0, out.decode()


async def test_every_request_takes_the_name_and_a_warning_of_its_own() -> None:
    async with village() as at:
        some = await at.plan("redirect", payments(at))
        assert (some.wide, some.phrase) == (False, "")
        every = await at.plan("redirect", payments(at), match="all")
        assert (every.wide, every.phrase) == (True, "payment-service")
        assert finding(every, "traffic").level is Level.AMBER
        outcome = await at.ended(await at.confirm(every))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert at.get(VS, NAME)["spec"]["http"] == [
            {
                "fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 503}},
                "route": [{"destination": {"host": "payment-service"}}],
            }
        ]


async def test_an_answer_that_is_no_error_status_blocks() -> None:
    async with village() as at:
        for said in ("200", "", "0600", "５０３", "teapot"):
            plan = await at.plan("redirect", payments(at), status=said)
            assert finding(plan, "status").level is Level.RED, said
        with pytest.raises(NoPlan, match="header or all"):
            await at.plan("redirect", payments(at), match="some")


async def test_both_are_undone_by_their_recipes() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("redirect", payments(at), status="502", match="all")
        removal, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert names(at) == []
        with pytest.raises(NoPlan, match="not there any more"):  # an undo that came too late never applies anything
            await at.undone(plan)
        back, outcome = await at.undone(removal)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert (back.choices["status"], back.choices["match"]) == ("502", "all")
        with pytest.raises(NoPlan, match="there already"):
            await at.undone(removal)


async def test_a_row_of_a_pod_a_service_or_a_set_means_the_service_before_it() -> None:
    async with village() as at:
        pod = at.pods("payment-service")[0]["metadata"]["name"]
        for aim in (at.aim("Pod", pod), at.aim("Service", "payment-service"), payments(at)):
            plan = await at.plan("redirect", aim)
            assert str(plan.target) == "service/payment-service"
        cache = await at.plan("redirect", at.aim("StatefulSet", "session-cache"))
        assert cache.target.name == "session-cache"
    assert TABLE["redirect"].refuses(Aim(kind="Node", name="n"))
    assert TABLE["redirect"].refuses(Aim())


async def test_a_choice_is_offered_where_several_services_send_traffic_and_none_is_told() -> None:
    async with village() as at:
        spec = at.get("services", "payment-service")["spec"]
        at.put("services", {"metadata": {"name": "payments-internal"}, "spec": {**spec, "clusterIP": "None"}})
        plan = await at.plan("redirect", payments(at))
        field = next(one for one in plan.fields if one.id == "service")
        assert [value for value, _ in field.options] == ["payment-service", "payments-internal"]
        other = await at.plan("redirect", payments(at), service="payments-internal")
        assert other.target.name == "payments-internal"
        with pytest.raises(NoPlan, match="sends no traffic"):
            await at.plan("redirect", payments(at), service="account-service")
        for name in ("payment-service", "payments-internal"):
            at.drop("services", name)
        with pytest.raises(NoPlan, match="no Service sends traffic") as none:
            await at.plan("redirect", payments(at))
        assert without_cluster(none.value.hint) == f"kubectl get services -n {PROD} -o wide"


async def test_one_of_that_name_that_somebody_else_made_blocks() -> None:
    async with village() as at:
        body = maintenance("networking.istio.io/v1", PROD, "payment-service", 503, everybody=False)
        at.put(VS, body, manager="argocd-controller")
        plan = await at.plan("redirect", payments(at))
        blocked = finding(plan, "routes", Level.RED)
        assert "argocd-controller" in blocked.text
        assert plan.diff.hunks == ()


async def test_others_that_speak_for_the_same_host_are_named() -> None:
    async with village() as at:
        plan = await at.plan("redirect", payments(at))
        assert finding(plan, "routes").level is Level.GREEN
        at.put(VS, {"metadata": {"name": "payments"}, "spec": {"hosts": ["payment-service"], "http": []}})
        host = f"payment-service.{PROD}.svc.cluster.local"
        at.put(
            VS,
            {
                "metadata": {"name": "public", "namespace": "istio-system"},
                "spec": {"hosts": ["api.example.com", host], "gateways": ["public-gw"]},
            },
        )
        at.put(VS, {"metadata": {"name": "x", "namespace": "default"}, "spec": {"hosts": ["payment-service"]}})
        plan = await at.plan("redirect", payments(at))
        said = [one.text for one in plan.findings if one.name == "routes" and one.level is Level.AMBER]
        assert len(said) == 2
        assert any(f"{PROD}/payments" in text and "older one wins" in text for text in said)
        assert any("istio-system/public" in text and "public-gw" in text for text in said)


async def test_an_older_istio_is_spoken_to_in_its_version_and_without_one_there_is_no_plan() -> None:
    async with village() as at:
        at.server.without("networking.istio.io")
        with pytest.raises(NoPlan, match="no Istio here") as none:
            await at.plan("redirect", payments(at))
        assert without_cluster(none.value.hint) == "kubectl api-resources --api-group=networking.istio.io"
        at.server.without("networking.istio.io/v1")
        plan, outcome = await at.carried_out("redirect", payments(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert "apiVersion: networking.istio.io/v1beta1" in told(plan)[0]
        assert at.writes[0].path == PATH.replace("/v1/", "/v1beta1/")


async def test_a_viewer_gets_a_plan_that_names_what_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("redirect", payments(at))
        missing = finding(plan, "allowed")
        assert missing.level is Level.RED
        assert "create virtualservices.networking.istio.io" in missing.text
        assert "patch virtualservices.networking.istio.io" in missing.text
        assert plan.diff.source == "computed"


async def test_nothing_is_sent_when_somebody_was_faster() -> None:
    async with village() as at:
        plan = await at.plan("redirect", payments(at))
        body = maintenance("networking.istio.io/v1", PROD, "payment-service", 500, everybody=True)
        at.put(VS, body)
        with pytest.raises(Changed):
            await at.confirm(plan)
        at.drop(VS, NAME)

        plan = await at.plan("redirect", payments(at))
        service = at.get("services", "payment-service")
        at.drop("services", "payment-service")
        with pytest.raises(Changed, match="not there any more"):
            await at.confirm(plan)
        at.put("services", {"metadata": {"name": "payment-service"}, "spec": service["spec"]})

        await at.carried_out("redirect", payments(at))
        sent = len(at.writes)
        removal = await at.plan("redirect", payments(at))
        made = at.get(VS, NAME)
        at.put(VS, {**made, "spec": {**made["spec"], "hosts": ["payment-service", "account-service"]}})
        with pytest.raises(Changed):
            await at.confirm(removal)
        assert len(at.writes) == sent


async def test_what_somebody_else_made_of_it_is_told_before_it_goes() -> None:
    async with village() as at:
        await at.carried_out("redirect", payments(at))
        made = at.get(VS, NAME)
        at.put(VS, {**made, "spec": {**made["spec"], "hosts": ["account-service"]}}, manager="kubectl-edit")
        removal = await at.plan("redirect", payments(at))
        assert finding(removal, "owner").text == "kubectl-edit changed it since it was applied; that goes as well"
        assert removal.undo.recipe is None


async def test_a_verdict_is_about_what_is_there_and_waits_for_istio_where_it_says_so() -> None:
    async with village() as at:
        mitigation, scene = TABLE["redirect"], at.gate._scene
        plan = await at.plan("redirect", payments(at))
        told: list[str] = []
        await at.ended(await at.confirm(plan))
        made = at.get(VS, NAME)
        at.put(VS, {**made, "spec": {**made["spec"], "hosts": ["another"]}})
        changed = await mitigation.verify(scene, plan, told.append)
        assert (changed.verdict, "somebody changed it" in changed.text) == (Verdict.FAILED, True)
        at.drop(VS, NAME)
        gone = await mitigation.verify(scene, plan, told.append)
        assert (gone.verdict, "somebody took it away" in gone.text) == (Verdict.FAILED, True)


async def test_an_answer_that_is_lost_is_found_out_and_nothing_is_sent_twice() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        plan, outcome = await at.carried_out("redirect", payments(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        at.server.faults.unanswered = 1
        removal, outcome = await at.carried_out("redirect", payments(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert [write.method for write in at.writes] == ["PATCH", "DELETE"]
        at.server.faults.unheard = 1
        lost, outcome = await at.carried_out("redirect", payments(at))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert names(at) == []
        assert len({plan.id, removal.id, lost.id}) == 3


async def test_an_api_that_cannot_be_looked_at_is_not_written_to() -> None:
    async with village() as at:
        plan = await at.plan("redirect", payments(at))
        at.server.faults.closed.add(PROD)
        with pytest.raises(NotSent):
            await at.gate.carry_out(plan, agreed(plan))
        assert not at.writes


def test_what_istio_says_of_itself_is_read() -> None:
    stated: Json = {"metadata": {"generation": 2}, "status": {"observedGeneration": "1"}}
    assert unseen(stated) == "Istio has not seen it yet"
    stated["status"]["observedGeneration"] = 2
    assert unseen(stated) == ""
    assert unseen({"metadata": {"generation": 2}}) == ""
    stated["status"]["validationMessages"] = [
        {"level": "ERROR", "type": {"code": "IST0101", "name": "ReferencedResourceNotFound"}},
        {"level": "INFO", "type": {"code": "IST0118"}},
    ]
    assert complaints(stated) == ["ReferencedResourceNotFound"]


def test_the_mesh_is_told_by_its_sidecars() -> None:
    pod: Json = {"metadata": {}, "spec": {"containers": [{"name": "app"}]}}
    native: Json = {"metadata": {}, "spec": {"containers": [], "initContainers": [{"name": "istio-proxy"}]}}
    ambient: Json = {"metadata": {"annotations": {"ambient.istio.io/redirection": "enabled"}}, "spec": {}}
    assert in_the_mesh([pod, native, ambient]) == 2


def test_an_abort_is_known_again_unless_it_was_changed() -> None:
    for everybody in (True, False):
        made = maintenance("networking.istio.io/v1", "n", "s", 418, everybody=everybody)
        abort = abort_of(made)
        assert abort is not None
        assert (abort.status, abort.everybody) == (418, everybody)
    made["spec"]["http"][0]["timeout"] = "5s"
    assert abort_of(made) is not None  # what a server fills in does no harm
    made["spec"]["http"].append({})
    assert abort_of(made) is None
    for nonsense in ([None], {"fault": 1}, [], None):
        assert abort_of({"metadata": {}, "spec": {"http": nonsense}}) is None
    assert not holds([1], [1, 2])
    assert rivals([{"metadata": {"namespace": "n", "name": "s-maintenance"}, "spec": {"hosts": ["s"]}}], "n", "s") == []
