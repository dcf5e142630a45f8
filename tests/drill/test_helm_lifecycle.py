"""The life of a release as the real helm leads it, in both major versions: from install to uninstall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drill import kinds
from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.real_helm import MAJORS, RealHelm, needed

CHECK = """apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-check", annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: check, image: "bankingacr.example/check:1.0.0-done"}]}
"""
PROD = "banking-platform-prod"


@pytest.mark.parametrize("major", MAJORS)
async def test_a_release_lives_and_ends(major: int, tmp_path: Path) -> None:
    program = needed(major)
    async with running(SMALL, speed=30.0, directory=tmp_path) as platform:
        helm = RealHelm(program, platform.kubeconfig, PROD, tmp_path)
        store = platform.platform.store

        def there(plural: str, name: str) -> Any:
            return store.get(kinds.kind(plural), PROD, name)

        async def listed(*more: str) -> dict[str, Any]:
            releases: list[dict[str, Any]] = json.loads(await helm.run("list", "-o", "json", *more))
            return {one["name"]: one for one in releases}

        chart = str(helm.chart)
        assert "STATUS: pending-install" in await helm.run("install", "own", chart, "--dry-run=server")
        assert there("deployments", "own-pay") is None
        (helm.chart / "templates" / "check.yaml").write_text(CHECK)
        # upgrade --install is install the first time
        told = await helm.run("upgrade", "--install", "own", chart, "--wait", "--set", "tag=1.0.0")
        assert "STATUS: deployed" in told
        assert there("deployments", "own-pay")["status"]["readyReplicas"] == 2
        tested = await helm.run("test", "own")
        assert "Phase:          Succeeded" in tested
        assert "name that is still in use" in await helm.run("install", "own", chart, fails=True)
        await helm.run("upgrade", "--install", "own", chart, "--wait", "--set", "tag=1.1.0", "--set", "extra=true")
        assert there("configmaps", "own-extra") is not None
        # what fails goes back by itself
        back = "--atomic" if major == 3 else "--rollback-on-failure"
        failed = await helm.run(
            "upgrade", "own", chart, back, "--timeout", "8s", "--set", "tag=1.2.0-nopull", fails=True
        )
        assert "own" in failed
        history = await helm.history("own")
        assert [one["status"] for one in history] == ["superseded", "superseded", "failed", "deployed"]
        assert history[-1]["description"] == "Rollback to 2"
        images = [one["image"] for one in there("deployments", "own-pay")["spec"]["template"]["spec"]["containers"]]
        assert images == ["bankingacr.example/pay:1.1.0"]
        # by hand to the first, which had no extra
        await helm.run("rollback", "own", "1", "--wait")
        assert there("configmaps", "own-extra") is None
        assert (await listed())["own"]["revision"] == "5"
        assert {"own", "banking-platform-prod"} <= set(await listed("--all-namespaces"))
        status = json.loads(await helm.run("status", "own", "-o", "json"))
        assert (status["info"]["status"], status["version"]) == ("deployed", 5)
        everything = await helm.run("get", "all", "own")
        assert all(part in everything for part in ("USER-SUPPLIED VALUES", "own-settings", "tag: 1.0.0"))
        assert json.loads(await helm.run("get", "values", "own", "--revision", "2", "-o", "json"))["extra"] is True
        assert (await helm.run("uninstall", "own", "--wait", "--keep-history")).startswith('release "own" uninstalled')
        assert there("deployments", "own-pay") is None
        if major == 3:  # Helm 4 lists what is kept of a release, too
            assert "own" not in await listed()
        assert (await helm.history("own"))[-1]["status"] == "uninstalled"
        assert "not found" in await helm.run("status", "none-such", fails=True)
