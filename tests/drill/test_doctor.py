"""``warroom doctor`` on the embedded platform: what is there, what is allowed, with which program, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runbook.known import MITIGATIONS
from tests.drill.shell import document, fresh_user, platform, warroom
from tests.warm_program import Done

pytestmark = pytest.mark.asyncio(loop_scope="module")

Checks = list[dict[str, str]]


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def where() -> AsyncIterator[tuple[str, ...]]:
    """A platform that is only looked at."""
    async with platform() as found:
        yield found


def checks(done: Done) -> Checks:
    found: Checks = document(done)["checks"]
    return found


def program(directory: Path, name: str, says: str) -> str:
    """A PATH on which only this program is, which prints its version whatever it is asked."""
    file = directory / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    file.chmod(0o755)
    return str(directory)


async def test_doctor_finds_everything_on_the_platform(user: dict[str, str], where: tuple[str, ...]) -> None:
    done = await warroom(user, "doctor", "--json", *where)
    table = await warroom(user, "doctor", *where)

    seen = document(done)
    assert (done.status, seen["ok"], table.status) == (0, True, 0), done.out
    levels = {check["name"]: check["level"] for check in seen["checks"]}
    for name in (
        "settings",
        "runbook",
        "kubeconfig",
        "cluster",
        "pods",
        "nodes",
        "usage",
        "workloads",
        "events",
        "releases",
    ):
        assert levels[name] == "ok", done.out
    for name in ("endpoints", "commits", "logs", "store", "log file", "terminal", "git", "kubectl", "helm"):
        assert name in levels
        assert name in table.out


async def test_doctor_reads_the_runbook_file_and_goes_on_when_it_is_wrong(
    user: dict[str, str], where: tuple[str, ...]
) -> None:
    file = Path(user["HOME"]) / "runbook.yaml"
    command = "{key: F, label: flush, sentence: Flush it, argv: [flush-the-cache, x]}"
    file.write_text(f"commands:\n  flush-cache: {command}\n", encoding="utf-8")
    fine = await warroom(user, "doctor", "--json", "--runbook", str(file), *where)
    file.write_text("mitigations:\n  rolback: {}\n", encoding="utf-8")
    wrong = await warroom(user, "doctor", "--json", "--runbook", str(file), *where)

    found = [check["found"] for check in checks(fine) if check["name"] == "runbook"]
    assert found[0] == f"{file}: settings for 0 mitigations, 1 command of its own"
    assert found[1].startswith("Neutral runbook, which ships: severities 1, 2, 3, 4")
    (missing,) = [check for check in checks(fine) if check["name"] == "flush-cache"]
    assert (fine.status, missing["level"]) == (0, "warn")
    assert missing["found"].endswith("flush-the-cache is not there")
    assert "install it" in missing["advice"]
    levels = {check["name"]: check["level"] for check in checks(wrong)}
    assert (wrong.status, levels["runbook"], levels["cluster"], levels["restart"]) == (1, "missing", "ok", "ok")
    assert f"{file}:2: mitigations.rolback: there is no such mitigation; did you mean rollback?" in wrong.out


async def test_doctor_says_what_a_runbook_holds_and_which_channels_lack_their_secrets(user: dict[str, str]) -> None:
    secret = "https://hooks.example/very-secret"
    done = await warroom(user | {"WARROOM_SLACK_URL": secret}, "doctor", "--json", "--runbook", "banking-platform")

    runbook = [check["found"] for check in checks(done) if check["name"] == "runbook"]
    assert "settings for 6 mitigations, 1 command of its own" in runbook[0]
    for part in ("severities 1, 2, 3, 4", "7 roles", "5 parties", "7 channels", "3 templates, which can be filled"):
        assert part in runbook[1]
    for part in ("5 phases", "4 scenarios", "4 checklists", "a flowchart of 10 nodes"):
        assert part in runbook[2]
    channels = {check["found"].split()[0]: check for check in checks(done) if check["name"] == "channel"}
    assert channels["incident-channel"]["level"] == "ok"
    assert channels["teams"]["level"] == "warn"
    assert "WARROOM_TEAMS_URL not set" in channels["teams"]["found"]
    assert secret not in done.out + done.err


async def test_doctor_compiles_the_templates_and_names_the_line_of_a_wrong_one(user: dict[str, str]) -> None:
    file = Path(user["HOME"]) / "runbook.yaml"
    severities = "name: x\nseverities:\n  1: {name: Bad, definition: Bad}\n"
    file.write_text(f"{severities}templates:\n  status-update: |\n    one\n    {{{{ incidnt }}}}\n", encoding="utf-8")
    done = await warroom(user, "doctor", "--json", "--runbook", str(file))
    table = await warroom(user, "doctor", "--runbook", str(file))

    assert table.out.rstrip().endswith("cluster, namespace, drill")  # a long sentence is there to its end
    (runbook,) = [check for check in checks(done) if check["name"] == "runbook"]
    assert (done.status, runbook["level"]) == (1, "missing")
    assert f"{file}:7: templates.status-update: this template cannot be used: there is no incidnt" in runbook["found"]


async def test_doctor_tells_of_every_mitigation_whether_it_is_allowed_and_with_which_program(
    user: dict[str, str], where: tuple[str, ...], tmp_path: Path
) -> None:
    bare = user | {"PATH": "/nonexistent"}
    helm = user | {"PATH": program(tmp_path, "helm", "v3.19.0")}
    cluster = where[:2]  # without its settings, which name a helm of its own
    admin = await warroom(helm, "doctor", "--json", *cluster)
    viewer = await warroom(bare, "doctor", "--json", "--context", "viewer", "--read-only", *cluster)

    told = {check["name"]: check for check in checks(admin)}
    databases = {"restore-database", "scale-database", "kill-session"}
    assert not databases & told.keys()  # the settings name no database
    for name in MITIGATIONS.keys() - databases:
        assert told[name]["level"] == "ok", told[name]
        assert told[name]["found"].startswith(f"{MITIGATIONS[name].key} allowed (")
    assert told["rollback"]["found"].endswith(f"helm v3.19.0 ({tmp_path}/helm)")

    told = {check["name"]: check for check in checks(viewer)}
    assert viewer.status == 0  # who only looks needs none of it
    assert "not allowed to patch deployments.apps" in told["restart"]["found"]
    assert "docs/rbac/responder.yaml; kubectl auth can-i patch deployments.apps" in told["restart"]["advice"]
    assert "there is no helm on this machine" in told["rollback"]["found"]
    assert "[tools] helm" in told["rollback"]["advice"]
    assert told["restart"]["found"].endswith("this console is read-only")
    assert "read-only" not in told["evidence"]["found"]


async def test_doctor_without_a_kubeconfig_says_what_is_missing_and_what_to_do(user: dict[str, str]) -> None:
    done = await warroom(user, "doctor", "--json")

    (missing,) = [check for check in document(done)["checks"] if check["level"] == "missing"]
    assert done.status == 1
    assert missing["name"] == "kubeconfig"
    assert "there is no kubeconfig" in missing["found"]
    assert "warroom drill" in missing["advice"]


async def test_doctor_finds_a_key_in_the_settings_that_a_console_would_refuse(user: dict[str, str]) -> None:
    file = Path(user["HOME"]) / "config.toml"
    found = []
    for keys in ('detial = "f7"', 'logs = "R"', 'logs = "f7"'):
        file.write_text(f"[keys]\n{keys}\n", encoding="utf-8")
        done = await warroom(user, "doctor", "--json", "--config", str(file))
        found.append([check for check in checks(done) if check["name"] == "keys"])

    typo, clash, fine = found
    assert typo[0]["found"].startswith("[keys] detial: there is no such action; there are ")
    assert clash[0]["found"] == "[keys] restart: the key R already belongs to logs"
    assert clash[0]["level"] == "missing"
    assert clash[0]["advice"] == f"correct {file}"
    assert not fine
