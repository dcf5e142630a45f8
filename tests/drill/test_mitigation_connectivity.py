"""The connectivity check from a pod, as somebody at the desk gets it: what it found, or why there was no check."""

from __future__ import annotations

import pytest

from drill import kinds
from drill.scenario import External
from incident.entry import Draft
from runbook.check_url import fault_in
from runbook.errors import Changed, NoPlan
from runbook.plan import Aim, Level, Verdict
from runbook.playbook import MitigationSettings, Playbook
from tests.drill.mitigation_desk import PROD, SLOW, Desk, Json, finding, told, until, without_cluster
from tests.drill.small_scenario import village

GATEWAY = "https://external-payment-gateway.com/health"


def pod_aim(at: Desk, workload: str = "api-gateway") -> Aim:
    return at.aim("Pod", at.pods(workload)[0]["metadata"]["name"])


def external(at: Desk, host: str, **more: object) -> str:
    at.running.platform.network.externals[host] = External(host=host, **more)  # type: ignore[arg-type]
    return f"https://{host}/health"


def put_state(at: Desk, pod: Json, **state: Json) -> None:
    """Every container of the pod is in that state."""
    pod = at.get("pods", pod["metadata"]["name"])
    statuses = [{**each, "ready": False, "state": state} for each in pod["status"]["containerStatuses"]]
    pod = {**pod, "status": {**pod["status"], "containerStatuses": statuses}}
    at.running.platform.store.update(kinds.kind("pods"), pod, subresource="status")


async def test_the_check_runs_in_the_pod_and_says_what_it_found() -> None:
    async with village() as at:
        aim = pod_aim(at)
        plan = await at.plan("connectivity", aim)

        assert plan.title == f"Check external-payment-gateway.com from pod/{aim.name}"
        assert plan.choices == {"url": GATEWAY, "container": "api-gateway", "timeout": "10"}
        assert [field.id for field in plan.fields] == ["url", "timeout"]
        assert told(plan) == (
            f"kubectl exec {aim.name} -n {PROD} -- curl -v -sS --max-time 10 "
            rf"-w '\nHTTP %{{http_code}} after %{{time_total}} s\n' {GATEWAY}",
        )
        assert finding(plan, "allowed", Level.GREEN).text == "create pods/exec, get pods/exec as admin"
        assert finding(plan, "container", Level.GREEN).text == "container api-gateway: ready"
        assert not plan.wide
        assert not plan.blocked
        assert plan.undo.recipe is None
        assert "nothing to take back" in plan.undo.words

        outcome = await at.ended(await at.confirm(plan))

        assert outcome.verdict is Verdict.WORKED
        assert outcome.text == "external-payment-gateway.com answered 200 in 41 ms"
        check = outcome.evidence["check"]
        assert (check["exit"], check["container"], check["left_out"]) == (0, "api-gateway", 0)
        assert "< HTTP/1.1 200 OK\n" in check["output"]
        assert '{"status":"UP"}' in check["output"]
        sent = [request for request in at.requests if request.path.endswith("/exec")]
        assert len(sent) == 1
        assert at.writes == sent
        kinds_in_order = ["draft" if isinstance(each, Draft) else each.method for each in at.story]
        assert kinds_in_order == ["draft", "GET", "draft"]  # the intent is recorded before anything runs


FINDINGS = (
    ("http://account-service/health", "account-service answered 200 in 4 ms"),
    ("http://account-service/nothing", "account-service answered 404 in 4 ms"),
    ("https://sick.example/health", "sick.example answered 503 in 2.5 s"),
    ("http://payment-service/", "payment-service: cannot connect in 2 ms (curl 7: Failed to connect to payment"),
    ("http://nobody.example/", "nobody.example: the name does not resolve in 12 ms (curl 6: Could not resolve"),
    ("https://silent.example/", "silent.example: timed out in 10.0 s (curl 28: Connection timed out after"),
    ("https://old.example/", "old.example: its certificate is not trusted in 19 ms (curl 60: SSL certificate"),
    ("https://account-service:80/", "account-service:80: TLS failed in 4 ms (curl 35: TLS connect error"),
)


async def test_whatever_it_finds_the_check_has_worked_and_says_it_plainly() -> None:
    async with village() as at:
        external(at, "sick.example", status=503, latency=2.5)
        external(at, "silent.example", fate="silent")
        external(at, "old.example", fate="untrusted")
        for url, text in FINDINGS:
            _, outcome = await at.carried_out("connectivity", pod_aim(at), url=url)
            assert outcome.verdict is Verdict.WORKED
            assert outcome.text.startswith(text)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://account-service/", "begins with https:// or http://"),
        ("file:///etc/passwd", "begins with https:// or http://"),
        ("--upload-file", "begins with https:// or http://"),
        ("", "begins with https:// or http://"),
        ("https://", "names no host"),
        ("https://ada:geheim@gateway.example/", "no user or password"),
        ("https://gateway.example/?access_token=abcdefgh12345678", "seems to hold a secret"),
        ("https://gateway.example/{a,b}[1-9]", "many requests"),
        ("https://gateway.example/a b", "one word of ASCII"),
        ("https://gateway.example:port/", "no URL"),
        ("https://gateway.example/\x1b[2J", "one word of ASCII"),
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_blocks(url: str, why: str) -> None:
    assert why in fault_in(url)


async def test_wrong_answers_block_and_are_told_apart() -> None:
    async with village() as at:
        aim = pod_aim(at)
        plan = await at.plan("connectivity", aim, url="gateway", timeout="ten", container="sidecar")
        assert {one.name for one in plan.blocked} == {"url", "timeout", "container"}
        assert finding(plan, "container", Level.RED).text == "there is no container 'sidecar'"
        assert "from 1 to 120" in finding(plan, "timeout", Level.RED).text


async def test_the_runbook_file_says_where_to_look() -> None:
    settings = MitigationSettings(defaults={"url": "http://card-service/health", "timeout": "3", "container": "proxy"})
    async with village(playbook=Playbook(mitigations={"connectivity": settings})) as at:
        plan = await at.plan("connectivity", pod_aim(at))
        assert plan.choices == {"url": "http://card-service/health", "container": "api-gateway", "timeout": "3"}
        again = await at.plan("connectivity", pod_aim(at), timeout="5")
        assert again.choices["timeout"] == "5"
        assert again.choices["url"] == "http://card-service/health"


async def test_of_several_containers_the_one_that_kubectl_would_take_is_offered_first() -> None:
    async with village() as at:
        pod = at.pods("card-service")[0]
        name = pod["metadata"]["name"]
        containers = [{"name": "istio-proxy", "image": "proxy:1"}, *pod["spec"]["containers"]]
        notes = {"kubectl.kubernetes.io/default-container": "card-service"}
        at.put(
            "pods",
            {
                **pod,
                "metadata": {**pod["metadata"], "annotations": notes},
                "spec": {**pod["spec"], "containers": containers},
            },
        )
        plan = await at.plan("connectivity", at.aim("Pod", name))

        choice = next(field for field in plan.fields if field.id == "container")
        assert choice.value == "card-service"
        assert choice.options == (
            ("istio-proxy", "istio-proxy · not started"),
            ("card-service", "card-service · ready"),
        )
        assert f"kubectl exec {name} -n {PROD} -c card-service -- curl" in told(plan)[0]

        other = await at.plan("connectivity", at.aim("Pod", name), container="istio-proxy")
        assert finding(other, "container", Level.RED).text == "container istio-proxy does not run: not started"


async def test_a_pod_without_curl_is_told_so_in_words() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("connectivity", pod_aim(at, "session-cache"))
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text.startswith("there is no curl in container session-cache; choose another container, or: ")
        assert f"kubectl debug -it {plan.target.name} -n {PROD} --image=curlimages/curl" in outcome.text
        assert "executable file not found" in outcome.evidence["check"]["error"]


async def test_a_pod_that_does_not_run_blocks_and_says_what_holds_it() -> None:
    async with village() as at:
        pod = at.pods("card-service")[0]
        put_state(at, pod, waiting={"reason": "CrashLoopBackOff"})
        plan = await at.plan("connectivity", at.aim("Pod", pod["metadata"]["name"]))
        assert finding(plan, "container", Level.RED).text == "container card-service does not run: CrashLoopBackOff"


async def test_from_a_workload_a_pod_that_is_ready_is_chosen() -> None:
    async with village() as at:
        first, second, *rest = at.pods("api-gateway")
        put_state(at, first, waiting={"reason": "CrashLoopBackOff"})
        put_state(at, second, running={"startedAt": "2026-11-23T07:38:40Z"})
        plan = await at.plan("connectivity", at.aim("Deployment", "api-gateway"))
        assert plan.target.kind == "Pod"
        assert plan.target.name == rest[0]["metadata"]["name"]
        assert plan.remark == "from one of its 3 running pods"

        for pod in rest:
            put_state(at, pod, terminated={"reason": "Error", "exitCode": 1})
        plan = await at.plan("connectivity", at.aim("Deployment", "api-gateway"))
        assert plan.target.name == second["metadata"]["name"]
        assert finding(plan, "container", Level.GREEN).text == "container api-gateway: running, not ready"

        put_state(at, second, terminated={"reason": "Error", "exitCode": 1})
        plan = await at.plan("connectivity", at.aim("Deployment", "api-gateway"))
        assert plan.remark == "none of its 4 pods runs"
        assert plan.blocked


async def test_a_workload_without_pods_and_a_row_that_is_neither_have_no_plan() -> None:
    async with village() as at:
        at.change("deployments", "card-service", replicas=0)
        await until(lambda: not at.pods("card-service"), "no pod is left")
        with pytest.raises(NoPlan, match="has no pod to check from"):
            await at.plan("connectivity", at.aim("Deployment", "card-service"))
        with pytest.raises(NoPlan, match="neither a pod nor a workload"):
            await at.plan("connectivity", Aim(kind="Node", name="aks-system-00000"))


async def test_who_may_not_sees_the_plan_and_what_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("connectivity", pod_aim(at))
        said = finding(plan, "allowed", Level.RED)
        assert said.text.startswith(f"viewer may not create pods/exec in namespace {PROD}, get pods/exec")
        assert without_cluster(said.advice) == f"kubectl auth can-i create pods --subresource=exec -n {PROD}"


async def test_permission_that_is_taken_away_between_plan_and_act_is_told_as_no_check() -> None:
    async with village() as at:
        plan = await at.plan("connectivity", pod_aim(at))
        at.server.faults.error, at.server.faults.only = 403, "/exec"
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert outcome.sent is False
        assert outcome.text.startswith("the check could not run: the server refused:")


async def test_a_pod_that_was_replaced_since_the_plan_is_not_asked() -> None:
    async with village() as at:
        aim = at.aim("Pod", at.pods("session-cache")[0]["metadata"]["name"])
        plan = await at.plan("connectivity", aim)
        at.drop("pods", aim.name)
        await until(lambda: any(pod["metadata"]["name"] == aim.name for pod in at.pods("session-cache")), "a new one")
        with pytest.raises(Changed):
            await at.confirm(plan)
        assert not at.writes


async def test_a_container_that_ends_meanwhile_and_a_pod_that_goes_are_no_check() -> None:
    async with village() as at:
        url = external(at, "silent.example", fate="silent")
        pod = at.pods("card-service")[0]
        aim = at.aim("Pod", pod["metadata"]["name"])
        plan = await at.plan("connectivity", aim, url=url, timeout="120")
        put_state(at, pod, terminated={"reason": "Error", "exitCode": 1})
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.text) == (Verdict.FAILED, "container card-service does not run any more")

    async with village(speed=SLOW) as at:
        url = external(at, "silent.example", fate="silent")
        aim = pod_aim(at, "card-service")
        act = await at.confirm(await at.plan("connectivity", aim, url=url, timeout="60"))
        await until(lambda: act.latest.startswith("Trying"), "it runs")
        at.drop("pods", aim.name)
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert "the check was killed (exit 137)" in outcome.text


async def test_our_own_time_limit_ends_what_curl_does_not() -> None:
    async with village(speed=SLOW) as at:
        url = external(at, "silent.example", fate="silent")
        act = await at.confirm(await at.plan("connectivity", pod_aim(at), url=url, timeout="1"))
        await until(lambda: act.latest.startswith("Trying"), "it runs")
        at.server.faults.freeze()
        outcome = await at.ended(act)
        at.server.faults.thaw()
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text == "the check did not end within 4 s; nobody listens to it any more"


async def test_a_request_that_gets_no_answer_is_sent_once_and_stays_unknown() -> None:
    async with village() as at:
        plan = await at.plan("connectivity", pod_aim(at))
        at.server.faults.unheard = 1
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.UNKNOWN
        assert outcome.text.startswith("no answer came, and looking does not tell")  # a curl leaves no trace
        assert len(at.writes) == 1


async def test_a_stream_that_breaks_keeps_what_was_heard() -> None:
    async with village(speed=SLOW) as at:
        url = external(at, "silent.example", fate="silent")
        act = await at.confirm(await at.plan("connectivity", pod_aim(at), url=url, timeout="60"))
        await until(lambda: act.latest.startswith("Trying"), "it runs")
        at.server.drop_connections()
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.UNKNOWN
        assert outcome.text == "the connection to the server broke before the check ended"
        assert "Trying 203.0.113.24:443" in outcome.evidence["check"]["output"]


async def test_it_can_be_stopped_while_it_runs() -> None:
    async with village(speed=SLOW) as at:
        url = external(at, "silent.example", fate="silent")
        act = await at.confirm(await at.plan("connectivity", pod_aim(at), url=url, timeout="60"))
        await until(lambda: act.latest.startswith("Trying"), "it runs")
        assert act.stop("ada")
        outcome = await at.ended(act)  # sooner than the check's own limit, for nobody waits here for a minute
        assert outcome.text == "stopped by ada"


async def test_what_a_server_sends_is_capped_and_made_visible() -> None:
    async with village() as at:
        url = external(at, "loud.example", body="\x1b[2J\u202e" + "x" * 200_000)
        _, outcome = await at.carried_out("connectivity", pod_aim(at), url=url)
        assert outcome.text.startswith("loud.example answered 200 in ")
        check = outcome.evidence["check"]
        assert check["left_out"] > 100_000
        assert f"… {check['left_out']:,} bytes are not kept …" in check["output"]
        assert len(check["output"].encode()) < 66 * 1024
        assert "\x1b" not in check["output"]
        assert "␛[2J" in check["output"]
