"""The stand-in for helm: it answers as the real one does, and works on nothing but a drill's platform."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from drill import helm
from drill.certificate import self_signed
from drill.platform import running
from tests.drill.mitigation_desk import PROD, Desk
from tests.drill.releases import RELEASE, STANDIN, release_of, rewrite, statuses
from tests.drill.small_scenario import SMALL, village


async def run(*arguments: str, fails: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        *STANDIN,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert (process.returncode == 1) is fails, (out.decode(), err.decode())
    return (err if fails else out).decode().strip()


@pytest.fixture
async def at() -> AsyncIterator[Desk]:
    async with village() as desk:
        yield desk


async def test_it_rolls_back_as_helm_does(at: Desk) -> None:
    where = ("--kubeconfig", str(at.running.kubeconfig), "-n", PROD)
    assert await run("rollback", RELEASE, "2", "--wait", "--timeout", "20s", *where) == (
        "Rollback was a success! Happy Helming!"
    )
    assert statuses(at) == {1: "superseded", 2: "superseded", 3: "superseded", 4: "deployed"}
    assert release_of(at, 4)["info"]["description"] == "Rollback to 2"
    assert at.get("deployments", "payment-service")["status"]["readyReplicas"] == 3
    assert [request.method for request in at.writes] == ["POST", "PATCH", "PUT", "PUT"]

    told = json.loads(await run("history", RELEASE, "-o", "json", *where))
    assert [one["revision"] for one in told] == [1, 2, 3, 4]
    assert (await run("status", RELEASE, *where)).splitlines()[-1].endswith("Rollback to 2")
    assert await run("get", "manifest", RELEASE, *where) == release_of(at, 2)["manifest"].strip()


async def test_objects_come_and_go_with_the_manifest_and_what_was_changed_by_hand_is_put_back(at: Desk) -> None:
    extra = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b}\n"
    rewrite(at, 2, manifest=lambda held: held + extra % "older")
    rewrite(at, 3, manifest=lambda held: held + extra % "newer")
    at.put("configmaps", {"metadata": {"name": "newer"}, "data": {"a": "b"}})
    at.change("deployments", "card-service", replicas=7)
    await run("rollback", RELEASE, "2", "--kubeconfig", str(at.running.kubeconfig))
    names = [one["metadata"]["name"] for one in at.all("configmaps")]
    assert "older" in names
    assert "newer" not in names
    assert at.get("deployments", "card-service")["spec"]["replicas"] == 3


async def test_it_keeps_ten_revisions(at: Desk) -> None:
    for revision in range(4, 13):
        held = release_of(at, 1)
        at.put("secrets", helm.secret({**held, "version": revision}, at.running.platform.clock.wall()))
    await run("rollback", RELEASE, "11", "--kubeconfig", str(at.running.kubeconfig))
    assert len(statuses(at)) == 10
    assert max(statuses(at)) == 13


async def test_pods_that_never_become_ready_are_a_failure(at: Desk) -> None:
    where = ("--kubeconfig", str(at.running.kubeconfig))
    await run("rollback", RELEASE, "2", "--wait", *where)
    said = await run("rollback", RELEASE, "3", "--wait", "--timeout", "1s", *where, fails=True)
    assert said == f"Error: release {RELEASE} failed: context deadline exceeded"
    assert statuses(at)[5] == "failed"
    assert statuses(at)[4] == "deployed"


WRONG = (
    (("rollback", RELEASE, "99"), "Error: release has no 99 version"),
    (("rollback", "nothing", "1"), "Error: release: not found"),
    (("rollback", RELEASE, "1", "--timeout", "soon"), 'Error: invalid argument "soon" for "--timeout" flag'),
    (("history", RELEASE, "--kube-context", "viewer"), "secrets is forbidden"),
)


async def test_it_fails_in_helms_words(at: Desk) -> None:
    for arguments, said in WRONG:
        assert said in await run(*arguments, "--kubeconfig", str(at.running.kubeconfig), fails=True)
    assert at.writes == []


# ---------------------------------------------------------------- nothing but a drill


async def test_a_server_that_does_not_say_that_it_is_a_drill_is_asked_nothing_else(tmp_path: Path) -> None:
    certificate = self_signed()
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({"kind": "Status", "message": "404 page not found"}, status=404)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_context())
    await site.start()
    try:
        port = runner.addresses[0][1]
        config = kubeconfig(tmp_path, f"https://127.0.0.1:{port}", certificate.pem)
        said = await run("rollback", RELEASE, "1", "--kubeconfig", str(config), fails=True)
    finally:
        await runner.cleanup()
    assert "this is no helm, it only stands in for it in a drill" in said
    assert asked == ["/warroom-drill"]


@pytest.mark.parametrize("server", ["https://10.0.0.1:6443", "https://aks.example.com:443", "http://127.0.0.1:80"])
async def test_a_server_elsewhere_is_asked_nothing_at_all(tmp_path: Path, server: str) -> None:
    config = kubeconfig(tmp_path, server, self_signed().pem)
    assert "is not on this machine" in await run("history", RELEASE, "--kubeconfig", str(config), fails=True)


async def test_without_a_kubeconfig_it_does_nothing(tmp_path: Path) -> None:
    said = await run("history", RELEASE, "--kubeconfig", str(tmp_path / "none"), fails=True)
    assert "is not a drill's kubeconfig" in said


def kubeconfig(directory: Path, server: str, authority: bytes) -> Path:
    path = directory / "kubeconfig"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


# ---------------------------------------------------------------- who is told of it


@pytest.mark.parametrize("there_is_one", [False, True])
async def test_the_drills_settings_name_it_only_where_there_is_no_helm(
    there_is_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("git", *(["helm"] if there_is_one else [])):
        found = shutil.which(program) or "/bin/true"
        (tmp_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    async with running(SMALL) as platform:
        settings = tomllib.loads(platform.config.read_text(encoding="utf-8"))
    wanted = None if there_is_one else {"helm": [sys.executable, "-P", "-m", "drill.helm_standin"]}
    assert settings.get("tools") == wanted
