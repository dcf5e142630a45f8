"""A platform that is served for others: told to people and programs, and gone without a trace however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from drill.private_directory import abandoned, sweep

PATIENCE = 60.0


def _as_from_a_terminal() -> None:
    """What runs in the background of a script ignores ctrl-c, and its children with it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def serve(temporary: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "drill", "--serve", *more],
        env={"PATH": os.environ["PATH"], "HOME": str(temporary.parent), "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_as_from_a_terminal,
    )


def announced(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    said: dict[str, Any] = json.loads(child.stdout.readline())
    return said


def ended(child: subprocess.Popen[str], statuses: Sequence[int] = (0,)) -> str:
    """What it said to people."""
    _, told = child.communicate(timeout=PATIENCE)
    python_begins = "init_import_site" in told  # nothing of ours is there yet, and Python ends as it likes
    assert child.returncode in statuses or python_begins, told
    return told


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    path = tmp_path / "tmp"
    path.mkdir()
    return path


def test_whoever_joins_is_told_how_and_what_was_injected_outlives_the_platform(temporary: Path) -> None:
    kept = temporary.parent / "debrief.jsonl"
    child = serve(temporary, "--for", "anna", "--for", "ben", "--debrief", str(kept))
    said = announced(child)
    directory, ports = Path(said["kubeconfig"]).parent, [url.split(":")[2][:5] for url in said["urls"].values()]
    joined = json.loads((directory / "kubeconfig").read_text())
    assert [one["name"] for one in joined["contexts"]][3:] == ["anna", "ben"]
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "drill", "--control", "--do", "message Good morning"],
        env={"PATH": os.environ["PATH"], "HOME": str(temporary.parent), "TMPDIR": str(temporary)},
        capture_output=True,
        check=True,
        text=True,
    )  # without naming it: there is one
    assert "message Good morning" in done.stdout
    child.send_signal(signal.SIGINT)
    told = ended(child)

    for part in (
        f"drill --join {directory} --context anna",
        f"KUBECONFIG={directory}/kubeconfig",
        f"drill --control {said['control']}",
        f"scp -rp {directory} ",
        "message Good morning",
        *(f"-L {port}:127.0.0.1:{port}" for port in ports),
    ):
        assert part in told, part
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["opened", "injected", "closed"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert lines[2]["script"] == lines[0]["script"]
    assert lines[2]["injected"][0]["step"] == lines[1]["step"] == "message Good morning"
    assert lines[1]["at"].endswith("Z")
    assert [*temporary.iterdir()] == []


def test_a_platform_that_is_interrupted_at_any_point_leaves_nothing(temporary: Path) -> None:
    """In its imports a signal is the end at once; afterwards it is heeded when the cluster is built."""
    points = ((signal.SIGINT, 0.1), (signal.SIGTERM, 0.6), (signal.SIGHUP, 0.9), (signal.SIGTERM, None))
    children = []
    for number, after in points:
        child = serve(temporary)
        if after is None:
            announced(child)
        else:
            time.sleep(after)  # wherever it is by then: it must not matter
        child.send_signal(number)
        children.append((child, number))
    for child, number in children:
        ended(child, (0, -number, 128 + number))
    assert [*temporary.iterdir()] == []


def test_what_a_killed_platform_leaves_goes_with_the_next_one(temporary: Path) -> None:
    killed, living = serve(temporary), serve(temporary)
    gone, there = announced(killed), announced(living)
    directory = Path(gone["kubeconfig"]).parent
    assert not abandoned(directory)
    killed.kill()
    ended(killed, (-signal.SIGKILL,))
    assert abandoned(directory)
    (temporary / "warroom-drill-by-hand").mkdir()  # nobody's yet: whoever made it may be about to own it
    long_ago = temporary / "warroom-drill-orphan"
    long_ago.mkdir()
    os.utime(long_ago, (0, 0))

    removed = sweep(temporary)  # what every platform does when it starts

    assert {*removed} == {directory, Path(gone["control"]).parent, long_ago}
    assert Path(there["kubeconfig"]).exists()
    living.terminate()
    ended(living)
    assert [path.name for path in temporary.iterdir()] == ["warroom-drill-by-hand"]
