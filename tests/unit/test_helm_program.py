"""How helm is found, asked and called."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runbook.helm import Helm, NoHelm, duration, environment, find, is_release_name


def program(path: Path, script: str) -> tuple[str, ...]:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o700)
    return (str(path),)


@pytest.mark.parametrize(
    ("says", "major"),
    [("v3.21.4", 3), ("v4.2.4", 4), ("v4.2", 4), ("v3.14.0+g3fc9f4b", 3), ("v5.0.0-rc.1", 5), ("v4.0.0+drill", 4)],
)
async def test_helm_says_which_one_it_is_and_is_asked_once(tmp_path: Path, says: str, major: int) -> None:
    asked = tmp_path / "asked"
    helm = Helm(program(tmp_path / "helm", f'echo "$@" >> {asked}; echo {says}'))

    version = await helm.version()
    assert (version.major, str(await helm.version())) == (major, f"helm {says}")
    assert version.known is (major in (3, 4))
    assert asked.read_text().splitlines() == ["version --template {{.Version}}"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo v2.17.0", "helm v2.17.0 is too old"),
        ("echo 'Error: broken' >&2; exit 1", "does not say which version it is: Error: broken"),
        ("true", "does not say which version it is: it says nothing"),
        ("echo v4.2.4; exit 1", "does not say which version"),
        ("printf 'v4.2.4\\nv5\\n'", "does not say which version"),
    ],
)
async def test_what_is_no_helm_is_told_with_how_to_get_one(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(NoHelm, match=why) as told:
        await Helm(program(tmp_path / "helm", script)).version()
    assert "install Helm 3 or 4" in told.value.hint


async def test_a_helm_that_is_put_right_is_asked_again(tmp_path: Path) -> None:
    helm = Helm((str(tmp_path / "helm"),))
    with pytest.raises(NoHelm, match="cannot be started: No such file"):
        await helm.version()

    program(tmp_path / "helm", "echo v4.2.4")
    assert (await helm.version()).major == 4


async def test_it_is_asked_before_anybody_waits_and_left_without_a_word(tmp_path: Path) -> None:
    helm = Helm(program(tmp_path / "helm", "echo v4.2.4"))
    asking = helm.ask()
    assert helm.ask() is asking
    assert str(await helm.version()) == "helm v4.2.4"

    slow = Helm(program(tmp_path / "slow", "exec sleep 600"))
    slow.ask()
    async with asyncio.timeout(60):
        await asyncio.sleep(0.05)
        await slow.close()


async def test_none_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() == ()
    with pytest.raises(NoHelm, match="there is no helm on this machine"):
        await Helm(find()).version()

    program(tmp_path / "helm", "echo v4.2.4")
    assert find() == (str(tmp_path / "helm"),)
    assert find(["other", "helm"]) == ("other", "helm")


def test_the_arguments_of_a_rollback() -> None:
    helm = Helm(("/opt/helm",))
    assert helm.rollback("bank", 11, "prod", timeout=300, context="aks", kubeconfig="/k") == [
        "/opt/helm", "rollback", "bank", "11", "--namespace", "prod", "--wait", "--timeout", "5m0s",
        "--kube-context", "aks", "--kubeconfig", "/k",
    ]  # fmt: skip
    assert "--force-conflicts" in helm.rollback("bank", 11, "prod", timeout=300, force_conflicts=True)
    assert Helm().rollback("bank", 1, "prod", timeout=45)[0] == "helm"


@pytest.mark.parametrize("name", ["", "-x", "--help", "a b", "A", "a_b", "a/b", "x" * 54, "a\n", "ä"])
def test_what_is_no_release_is_never_an_argument(name: str) -> None:
    assert not is_release_name(name)
    with pytest.raises(ValueError, match="no release"):
        Helm().rollback(name, 1, "prod", timeout=1)


def test_the_environment_does_not_lead_helm_elsewhere() -> None:
    ours = {
        "PATH": "/bin",
        "HELM_KUBEAPISERVER": "https://elsewhere",
        "HELM_KUBECONTEXT": "other",
        "HELM_KUBETOKEN": "t",
        "HELM_NAMESPACE": "other",
        "HELM_DRIVER": "sql",
        "HELM_DRIVER_SQL_CONNECTION_STRING": "postgres://",
        "HELM_CACHE_HOME": "/cache",
        "KUBECONFIG": "/k",
    }
    assert environment(ours) == {
        "PATH": "/bin",
        "HELM_CACHE_HOME": "/cache",
        "KUBECONFIG": "/k",
        "HELM_DRIVER": "secret",
    }


@pytest.mark.parametrize(("seconds", "text"), [(300, "5m0s"), (45, "45s"), (90.4, "1m30s"), (0, "1s"), (3600, "60m0s")])
def test_a_duration_is_as_go_reads_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
