"""Running something in a pod of the platform: over the wire, and as a person does with the real kubectl."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from drill import kinds
from drill.platform import Running, running
from drill.scenario import External, Scenario
from tests.drill.small_scenario import SMALL

Json = dict[str, Any]
PROD = "banking-platform-prod"
GATEWAY = "https://external-payment-gateway.com/health"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


@dataclass
class Ran:
    """What came on the channels, and the Status on the error channel."""

    protocol: str | None
    out: str
    err: str
    status: Json

    @property
    def code(self) -> int:
        if self.status["status"] == "Success":
            return 0
        return int(self.status["details"]["causes"][0]["message"])


class Bench:
    def __init__(self, platform: Running, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.session = session

    def pod(self, workload: str) -> str:
        found = self.platform.platform.store.list(kinds.kind("pods"), PROD)
        names = [str(pod["metadata"]["name"]) for pod in found]
        return min(name for name in names if name.startswith(workload))

    def url(self, pod: str, *command: str, container: str = "") -> str:
        query = "&".join(f"command={part}" for part in command)
        named = f"&container={container}" if container else ""
        server = self.platform.platform.server.url
        return f"{server}/api/v1/namespaces/{PROD}/pods/{pod}/exec?{query}{named}&stdout=true&stderr=true"

    def headers(self, user: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.platform.platform.server.tokens[user]}"}

    async def run(self, pod: str, *command: str, method: str = "GET", protocols: tuple[str, ...] = PROTOCOLS) -> Ran:
        parts: dict[int, bytes] = {1: b"", 2: b"", 3: b""}
        url = self.url(pod, *command)
        async with (
            self.session.ws_connect(url, method=method, protocols=protocols, headers=self.headers()) as socket,
            asyncio.timeout(60),
        ):
            async for message in socket:
                parts[message.data[0]] += message.data[1:]
            assert socket.close_code == 1000
            return Ran(socket.protocol, parts[1].decode(), parts[2].decode(), msgspec.json.decode(parts[3]))

    async def refused(self, url: str, user: str = "admin", **headers: str) -> tuple[int, str]:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
        }
        sent = {**self.headers(user), **upgrade, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.get(url, headers=sent) as answer:
            body = msgspec.json.decode(await answer.read())
            assert body["kind"] == "Status"
            return answer.status, body["message"]

    def policy(self, **spec: Any) -> None:
        labels = {"app.kubernetes.io/name": "api-gateway"}
        policy = {
            "metadata": {"name": "deny", "namespace": PROD},
            "spec": {"podSelector": {"matchLabels": labels}, **spec},
        }
        self.platform.platform.store.create(kinds.kind("networkpolicies"), policy)


@asynccontextmanager
async def a_bench(scenario: str | Scenario = SMALL, speed: float = 20.0) -> AsyncIterator[Bench]:
    async with running(scenario, speed=speed) as platform:
        context = ssl.create_default_context(cadata=platform.platform.server.ca_pem)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield Bench(platform, session)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with a_bench() as found:
        yield found


async def test_a_program_runs_and_its_output_comes_on_two_channels(bench: Bench) -> None:
    ran = await bench.run(bench.pod("api-gateway"), "curl", "-v", GATEWAY)

    assert ran.status == {"metadata": {}, "status": "Success"}
    assert ran.out == '{"status":"UP"}'
    assert "* Connected to external-payment-gateway.com (203.0.113.24) port 443\n" in ran.err
    assert "< HTTP/1.1 200 OK\n" in ran.err


async def test_the_upgrade_may_be_a_get_or_a_post_in_either_version_of_the_protocol(bench: Bench) -> None:
    pod = bench.pod("api-gateway")
    for method in ("GET", "POST"):
        for protocol in PROTOCOLS:
            ran = await bench.run(pod, "curl", GATEWAY, method=method, protocols=(protocol,))
            assert (ran.protocol, ran.code) == (protocol, 0)


CURLS = (
    ("http://account-service/health", 0, ""),
    ("http://account-service.banking-platform-prod.svc.cluster.local/health", 0, ""),
    ("http://payment-service/health", 7, "curl: (7) Failed to connect to payment-service port 80"),
    ("http://nobody.example/", 6, "curl: (6) Could not resolve host: nobody.example"),
    ("https://account-service:80/health", 35, "curl: (35) TLS connect error"),
    ("ftp://account-service/", 1, "curl: (1) Protocol 'ftp' not supported"),
)


async def test_curl_fails_with_its_own_exit_codes_and_words(bench: Bench) -> None:
    for url, code, words in CURLS:
        ran = await bench.run(bench.pod("api-gateway"), "curl", url)
        assert ran.code == code
        assert ran.err.startswith(words)
        if code:
            assert ran.status["reason"] == "NonZeroExitCode"
            assert ran.status["message"] == f"command terminated with exit code {code}"


async def test_hosts_outside_meet_the_fate_that_a_scenario_gives_them(bench: Bench) -> None:
    hosts, pod = bench.platform.platform.network.externals, bench.pod("api-gateway")
    hosts["silent.example"] = External(host="silent.example", fate="silent")
    hosts["old.example"] = External(host="old.example", fate="untrusted")
    hosts["sick.example"] = External(host="sick.example", status=503, latency=2.5, body="")

    silent = await bench.run(pod, "curl", "--max-time", "3", "https://silent.example/health")
    assert (silent.code, silent.err) == (28, "curl: (28) Connection timed out after 3001 milliseconds\n")
    old = await bench.run(pod, "curl", "https://old.example/health")
    assert (old.code, old.err) == (60, "curl: (60) SSL certificate problem: certificate has expired\n")
    sick = await bench.run(pod, "curl", "-w", "%25{http_code} %25{time_total}", "https://sick.example/health")
    assert (sick.code, sick.out) == (0, "503 2.500000")


async def test_the_public_endpoints_say_inside_what_they_say_outside() -> None:
    async with a_bench("payment-release") as bench:
        ran = await bench.run(bench.pod("api-gateway"), "curl", "-v", "https://api.banking-platform.com/health")
    assert ran.code == 0
    assert "< HTTP/1.1 503 Service Unavailable" in ran.err
    assert "payment-service: no ready endpoint" in ran.out


async def test_a_policy_that_denies_everything_makes_the_network_silent(bench: Bench) -> None:
    pod, other = bench.pod("api-gateway"), bench.pod("card-service")
    bench.policy(policyTypes=["Ingress", "Egress"])

    out = await bench.run(pod, "curl", "--max-time", "2", GATEWAY)
    into = await bench.run(other, "curl", "--max-time", "2", "http://api-gateway/health")
    elsewhere = await bench.run(other, "curl", GATEWAY)

    assert (out.code, into.code, elsewhere.code) == (28, 28, 0)


async def test_what_the_image_does_not_have_cannot_be_started(bench: Bench) -> None:
    for workload, program in (("session-cache", "curl"), ("api-gateway", "sh")):
        ran = await bench.run(bench.pod(workload), program, "x")
        assert ran.status["reason"] == "InternalError"
        assert f'exec: "{program}": executable file not found in $PATH' in ran.status["message"]


async def test_a_container_that_does_not_run_is_not_found(bench: Bench) -> None:
    store = bench.platform.platform.store
    pod = store.get(kinds.kind("pods"), PROD, bench.pod("api-gateway"))
    assert pod is not None
    statuses = [{**status, "state": {"terminated": {}}} for status in pod["status"]["containerStatuses"]]
    status = {**pod["status"], "containerStatuses": statuses}
    store.update(kinds.kind("pods"), {**pod, "status": status}, subresource="status")

    ran = await bench.run(bench.pod("api-gateway"), "curl", GATEWAY)

    assert 'container not found ("api-gateway")' in ran.status["message"]


async def test_a_program_dies_with_its_pod(bench: Bench) -> None:
    bench.platform.platform.network.externals["silent.example"] = External(host="silent.example", fate="silent")
    pod = bench.pod("api-gateway")
    url = bench.url(pod, "curl", "-v", "https://silent.example/")
    async with (
        bench.session.ws_connect(url, protocols=PROTOCOLS, headers=bench.headers()) as socket,
        asyncio.timeout(60),
    ):
        while b"Trying" not in (await socket.receive_bytes()):
            pass
        bench.platform.platform.store.delete(kinds.kind("pods"), PROD, pod, grace_seconds=0)
        assert b"exit code 137" in await socket.receive_bytes()


async def test_refusals_come_before_the_upgrade_in_the_words_of_the_api(bench: Bench) -> None:
    pod = bench.pod("api-gateway")
    ok = bench.url(pod, "curl", "x")

    assert await bench.refused(bench.url("nobody", "curl")) == (404, 'pods "nobody" not found')
    code, words = await bench.refused(ok, user="viewer")
    assert code == 403
    assert 'User "viewer" cannot get resource "pods/exec" in API group "" in the namespace' in words
    wrong = bench.url(pod, "curl", container="sidecar")
    assert await bench.refused(wrong) == (400, f"container sidecar is not valid for pod {pod}")
    assert await bench.refused(ok.replace("command", "x")) == (
        400,
        "you must specify at least 1 command for the container",
    )
    assert await bench.refused(ok, Upgrade="SPDY/3.1") == (400, "Upgrade request required")
    code, words = await bench.refused(ok, Sec_WebSocket_Protocol="binary.k8s.io")
    assert code == 403


# ---------------------------------------------------------------------- as a person does it

KUBECTL = shutil.which("kubectl")


async def kubectl(platform: Running, home: Path, *arguments: str) -> tuple[int, str, str]:
    assert KUBECTL is not None
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *arguments,
        env={"HOME": str(home), "KUBECONFIG": str(platform.kubeconfig), "PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
async def test_kubectl_exec_prints_what_the_program_says_and_ends_as_it_ends(bench: Bench, tmp_path: Path) -> None:
    pod = bench.pod("api-gateway")
    code, out, err = await kubectl(bench.platform, tmp_path, "exec", pod, "--", "curl", "-v", GATEWAY)
    assert (code, out) == (0, '{"status":"UP"}')
    assert "< HTTP/1.1 200 OK" in err

    code, _, err = await kubectl(bench.platform, tmp_path, "exec", pod, "--", "curl", "http://payment-service/health")
    assert code == 7
    assert "command terminated with exit code 7" in err
    code, _, err = await kubectl(bench.platform, tmp_path, "exec", pod, "--", "sh", "-c", "ls")
    assert code != 0
    assert 'exec: "sh": executable file not found in $PATH' in err


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
async def test_kubectl_knows_who_may(bench: Bench, tmp_path: Path) -> None:
    pod, ask = bench.pod("api-gateway"), ("auth", "can-i", "create", "pods", "--subresource=exec")
    assert (await kubectl(bench.platform, tmp_path, *ask))[1] == "yes\n"
    assert (await kubectl(bench.platform, tmp_path, "--context", "viewer", *ask))[1] == "no\n"
    code, _, err = await kubectl(bench.platform, tmp_path, "--context", "viewer", "exec", pod, "--", "curl", "x")
    assert code == 1
    assert 'User "viewer" cannot' in err
