"""Evidence at its worst hour: what had come is kept, what is missing is named, and nothing lands anywhere else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runbook.evidence_folder import INCOMPLETE, check_folder
from runbook.evidence_report import verdict_on
from runbook.plan import Verdict
from tests.faults.evidence_elsewhere import NO_DISK
from tests.faults.evidence_server import POD, Bank, bank_capturing, capturing, folder_of, hang_up, lines
from tests.unit.api_server import until
from tests.unit.loopback_api import serving

REPOSITORY = Path(__file__).resolve().parents[2]
MB = 1_000_000
LINE = b"2026-11-23T14:02:42.000000000Z " + b"transferred 42 of 42 rows of the ledger " * 400 + b"\n"
GROWTH = 25 * MB
"""Bytes by which a process may grow while it captures a log of twice that."""
SIZE = 2 * GROWTH


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def index_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return found


def piece(folder: Path, what: str) -> dict[str, Any]:
    """The line of the index about one thing."""
    index = index_of(folder)
    (found,) = [one for one in (*index["files"], *index["missing"]) if one["what"] == what]
    return dict(found)


def files_outside(folder: Path, above: Path) -> list[str]:
    return [str(path.relative_to(above)) for path in above.rglob("*") if path.is_file() and folder not in path.parents]


def files_called(name: str, above: Path) -> list[Path]:
    return list(above.rglob(name))


def sound(folder: Path) -> bool:
    """Whether every file is in the manifest with its hash, by sha256sum where there is one."""
    assert not (folder / INCOMPLETE).exists()
    if program := shutil.which("sha256sum"):
        subprocess.run([program, "--strict", "--quiet", "-c", "MANIFEST.sha256"], cwd=folder, check=True)
    checked = check_folder(folder)
    return checked.sealed and not checked.wrong


async def test_a_log_larger_than_memory_may_grow_is_on_disk_whole_while_memory_stays_flat(tmp_path: Path) -> None:
    times = SIZE // len(LINE) + 1
    bank = Bank(logs={"ledger": lines(LINE, times)})
    async with bank_capturing(bank, tmp_path) as at:
        before = _resident()
        plan, act = await at.begun()
        most = before
        while not act.finished:
            most = max(most, _resident())
            await asyncio.sleep(0.05)
        outcome = await act.done()
    folder = folder_of(plan)
    log = folder / "original/pods" / POD / "logs/ledger.log"
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert log.stat().st_size == times * len(LINE) >= SIZE
    assert (folder / "redacted/pods" / POD / "logs/ledger.log").stat().st_size == log.stat().st_size
    assert most - before < GROWTH, f"grew by {(most - before) / 2**20:.0f} MiB"
    assert any("so far" in text for _, text in act.progress), "the person who waits sees it grow"


async def test_a_pod_that_vanishes_halfway_leaves_what_it_said_until_then(tmp_path: Path) -> None:
    bank = Bank(containers=("ledger", "proxy"))

    async def vanish(response: web.StreamResponse) -> None:
        await until(lambda: any(log.stat().st_size for log in tmp_path.rglob("ledger.log")))
        bank.gone = True
        hang_up(response)

    bank.logs = {"ledger": lines(LINE, 50, then=vanish)}
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    found = piece(folder, f"log of {POD}/ledger")
    kept = (folder / found["original"]).read_bytes()
    assert outcome.verdict is Verdict.FAILED
    assert f"log of {POD}/ledger" in outcome.text
    assert str(folder) in outcome.text
    assert (found["state"], found["bytes"]) == ("partial", len(kept))
    assert len(kept) > 0
    assert (LINE * 50).startswith(kept)
    assert "vanished" in found["why"]
    assert piece(folder, f"pod {POD}")["state"] == "complete", "what was read before is kept"
    assert piece(folder, "node node-1")["state"] == "complete", "what does not vanish with it is captured all the same"
    assert sound(folder)


async def test_a_log_that_ends_cleanly_because_the_pod_is_gone_is_not_taken_for_whole(tmp_path: Path) -> None:
    bank = Bank()

    async def vanish(response: web.StreamResponse) -> None:
        bank.gone = True

    bank.logs = {"ledger": lines(LINE, 3, then=vanish)}
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    assert outcome.verdict is Verdict.FAILED
    assert "its log may be missing" in piece(folder, f"log of {POD}/ledger")["why"]


async def test_the_log_of_a_successor_is_not_passed_off_as_that_of_the_pod(tmp_path: Path) -> None:
    bank = Bank()

    async def replace(response: web.StreamResponse) -> None:
        bank.uid = "pod-2"

    bank.logs = {"ledger": lines(LINE, 3, then=replace)}
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    assert outcome.verdict is Verdict.FAILED
    assert "replaced by another one" in piece(folder, f"log of {POD}/ledger")["why"]


async def test_a_server_in_trouble_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    bank = Bank()
    refused: list[web.Request] = []
    answer = lines(LINE)

    async def twice_unwell(request: web.Request) -> web.StreamResponse:
        if len(refused) < 2:
            refused.append(request)
            return web.json_response({"message": "etcd has no leader"}, status=503)
        return await answer(request)

    bank.logs = {"ledger": twice_unwell}
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert (folder / "original/pods" / POD / "logs/ledger.log").read_bytes() == LINE


async def test_names_from_a_hostile_server_stay_inside_of_the_folder(tmp_path: Path, state: Path) -> None:
    hostile = ("../../../../up", "a/b", "/etc/passwd", "", ".", "..", "-rf", "x\n y", "é\u202egol", "A", "a", "n" * 300)
    owners = [
        {"apiVersion": "../..", "kind": "../Escape", "name": "../../up"},
        {"apiVersion": "v1", "kind": "Secret", "name": "crown-jewels"},
        {"apiVersion": "v1", "kind": "secret", "name": "crown-jewels"},
    ]
    bank = Bank(containers=hostile, logs={name: lines(name.encode() + b"\n") for name in hostile})
    asked: list[str] = []
    pod = bank.pod

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path.endswith(f"/pods/{POD}"):
            owned = pod()
            owned["metadata"]["ownerReferences"] = owners
            return web.json_response(owned)
        return await bank.answer(request)

    async with serving(answer) as port, capturing(port, tmp_path) as at:
        folder, outcome = await at.captured()
    logs = [one for one in index_of(folder)["files"] if one.get("role") == "app"]
    assert [one["container"] for one in logs if not one["previous"]] == list(hostile), "the index has the real names"
    for one in logs:
        kept = folder / one["original"]
        assert kept.read_bytes() == one["container"].encode() + b"\n"
        assert kept.resolve().is_relative_to(folder.resolve())
        assert kept.parent == folder / "original/pods" / POD / "logs"
    assert files_outside(folder, tmp_path) == ["kubeconfig"]
    assert not any("secrets" in path or ".." in path for path in asked), "a reference in a pod fetches no Secret"
    assert "is not followed" in outcome.text
    assert sound(folder)


async def test_init_sidecar_and_ephemeral_containers_are_captured_too(tmp_path: Path) -> None:
    spec = {
        "initContainers": [{"name": "migrate"}, {"name": "mesh", "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "debugger"}],
    }
    names = ("migrate", "mesh", "ledger", "debugger")
    bank = Bank(spec=spec, logs={name: lines(name.encode()) for name in names})
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    roles = {one["container"]: one["role"] for one in index_of(folder)["files"] if "role" in one}
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert roles == {"migrate": "init", "mesh": "sidecar", "ledger": "app", "debugger": "ephemeral"}


async def test_what_may_not_be_read_is_told_and_the_rest_is_captured(tmp_path: Path) -> None:
    bank = Bank(logs={"ledger": lines(LINE)}, forbidden=("/nodes/node-1", "/networkpolicies"))
    async with bank_capturing(bank, tmp_path) as at:
        folder, outcome = await at.captured()
    assert outcome.verdict is Verdict.WORKED
    assert "not allowed: network policies" in outcome.text
    assert piece(folder, "node node-1")["state"] == "forbidden"
    assert (folder / "original/pods" / POD / "logs/ledger.log").read_bytes() == LINE


async def test_a_capture_that_is_stopped_is_sealed_with_what_there_is(tmp_path: Path) -> None:
    async def linger(response: web.StreamResponse) -> None:
        await asyncio.Event().wait()

    bank = Bank(logs={"ledger": lines(LINE, 100, then=linger)})
    async with bank_capturing(bank, tmp_path) as at:
        plan, act = await at.begun()
        log = folder_of(plan) / "original/pods" / POD / "logs/ledger.log"
        await until(lambda: log.exists() and log.stat().st_size > 0)
        assert act.stop("ada")
        outcome = await act.done()
    assert outcome.verdict is Verdict.UNKNOWN
    index = index_of(folder_of(plan))
    assert index["broken_off"] == "it was stopped"
    assert not index["complete"]
    assert piece(folder_of(plan), f"log of {POD}/ledger")["bytes"] == log.stat().st_size > 0
    assert sound(folder_of(plan))


async def test_a_console_that_is_killed_leaves_a_folder_that_nobody_takes_for_whole(
    tmp_path: Path, state: Path
) -> None:
    async def linger(response: web.StreamResponse) -> None:
        await asyncio.Event().wait()

    bank = Bank(logs={"ledger": lines(LINE, 100, then=linger)})
    async with serving(bank.answer) as port:
        process = await asyncio.create_subprocess_exec(*_capture(port, tmp_path), cwd=REPOSITORY)
        await until(lambda: any(log.stat().st_size for log in state.rglob("ledger.log")))
        process.kill()
        await process.wait()
    (marker,) = files_called(INCOMPLETE, state)
    found = verdict_on(marker.parent, check_folder(marker.parent))
    assert found.verdict is Verdict.FAILED
    assert found.text.startswith("it was broken off: ")
    assert str(marker.parent) in found.text


async def test_a_secret_in_a_log_is_in_the_original_only(tmp_path: Path) -> None:
    key = (
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq8\nqW3tYh5f9Jk2LmN0pQrS\n-----END RSA PRIVATE KEY-----\n"
    )
    text = b"connecting with password=hunter2\n" + key + b"ready \xff\xfe\n"
    bank = Bank(logs={"ledger": lines(text)})
    async with bank_capturing(bank, tmp_path) as at:
        folder, _ = await at.captured()
    copy = (folder / "redacted/pods" / POD / "logs/ledger.log").read_bytes()
    assert (folder / "original/pods" / POD / "logs/ledger.log").read_bytes() == text
    assert not any(secret in copy for secret in (b"hunter2", b"MIIEpAIBAAKCAQEA7bq8", b"qW3tYh5f9Jk2LmN0pQrS"))
    assert copy.startswith(b"connecting with password=")
    assert copy.endswith(b"ready \xff\xfe\n"), "what is no text is as it was"


# ---------------------------------------------------------------------- a disk that is full


async def test_a_file_that_may_not_grow_ends_in_a_clear_sentence_and_the_manifest_covers_what_was_written(
    tmp_path: Path,
) -> None:
    bank = Bank(containers=("ledger", "proxy"), logs={"ledger": lines(LINE, 400), "proxy": lines(LINE)})
    async with serving(bank.answer) as port:
        found = await _elsewhere(port, tmp_path, most=3 * MB)
    folder = Path(found["folder"])
    log = folder / "original/pods" / POD / "logs/ledger.log"
    assert found["verdict"] == "did not work"
    assert f"log of {POD}/ledger (this process may not write a file as large as that" in found["text"]
    assert log.stat().st_size == 3 * MB, "to the last byte that went in"
    assert piece(folder, f"log of {POD}/ledger")["bytes"] == 3 * MB
    assert piece(folder, f"log of {POD}/proxy")["state"] == "complete"
    assert sound(folder)


async def test_logs_leave_room_on_the_disk_for_the_timeline(tmp_path: Path) -> None:
    bank = Bank(logs={"ledger": lines(LINE, 2000)})
    async with serving(bank.answer) as port:
        found = await _elsewhere(port, tmp_path, disk="80m")
    assert found["verdict"] == "did not work"
    assert "the disk is full" in found["text"]
    assert "64 MiB are left free for the timeline" in found["text"]
    assert 1 * MB < found["kept"][f"original/pods/{POD}/logs/ledger.log"] < 16 * 2**20
    assert found["sound"]


async def test_a_disk_that_is_full_to_the_last_byte_still_gets_an_index_and_a_manifest(tmp_path: Path) -> None:
    bank = Bank(logs={"ledger": lines(LINE)}, padding=400_000)
    async with serving(bank.answer) as port:
        found = await _elsewhere(port, tmp_path, disk="1m")
    assert found["verdict"] == "did not work"
    assert "the disk is full" in found["text"]
    assert found["kept"]["index.json"] > 0
    assert found["sound"]


async def test_where_no_folder_can_be_made_nothing_is_captured_and_that_is_said(tmp_path: Path, state: Path) -> None:
    await asyncio.to_thread(state.write_text, "not a directory")
    bank = Bank(logs={"ledger": lines(LINE)})
    async with bank_capturing(bank, tmp_path) as at:
        _, outcome = await at.captured()
    assert outcome.verdict is Verdict.FAILED
    assert outcome.text.startswith("nothing was captured: cannot create")
    assert outcome.sent is False


async def test_everything_is_for_its_owner_only_whatever_the_umask(tmp_path: Path, state: Path) -> None:
    before = os.umask(0)
    try:
        async with bank_capturing(Bank(logs={"ledger": lines(LINE)}), tmp_path) as at:
            folder, _ = await at.captured()
    finally:
        os.umask(before)
    for path in (folder.parent, folder.parent.parent, *folder.rglob("*"), folder):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# ---------------------------------------------------------------------- what the tests use


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _capture(port: int, directory: Path, most: int = 0, disk: str = "") -> list[str]:
    return [sys.executable, "-m", "tests.faults.evidence_elsewhere", str(port), str(directory), str(most), disk]


async def _elsewhere(port: int, directory: Path, *, most: int = 0, disk: str = "") -> dict[str, Any]:
    """What a capture by another process says, one that has less room."""
    command = _capture(port, directory, most, disk)
    if disk:
        unshare = shutil.which("unshare")
        if unshare is None:
            pytest.skip("no unshare to have a disk of its own with")
        command = [unshare, "--mount", "--map-root-user", *command]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    if disk and (process.returncode == NO_DISK or b"unshare" in err):
        pytest.skip(f"no disk of its own here: {err.decode()}")
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found
