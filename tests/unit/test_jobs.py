"""Commands that go on without us: started once, in a session of their own, and known to whoever comes later."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.cluster import Cluster
from runbook.errors import NotSent
from runbook.hands import Hands
from runbook.jobs import Job, Jobs
from runbook.launch import launch
from runbook.stamps import Stamp

ROOT = Path(__file__).parents[2]
SHELL = ("/bin/sh", "-c")


def begun(directory: Path, script: str) -> Job:
    job = Job(directory / "acts" / "0123456789")
    launch(job, [*SHELL, script], os.environ)
    return job


def wait(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_command_runs_and_its_words_and_its_end_are_kept(tmp_path: Path) -> None:
    job = begun(tmp_path, "echo one; echo two; echo bad >&2; exit 3")
    wait(lambda: not job.running)

    assert job.status == 3
    assert job.said() == ["one", "two", "bad"]
    assert job.complaint == "bad"
    assert job.command == [*SHELL, "echo one; echo two; echo bad >&2; exit 3"]
    assert job.known


def test_somebody_who_comes_later_knows_whether_it_runs_and_how_it_ended(tmp_path: Path) -> None:
    job = begun(tmp_path, f"while [ ! -e '{tmp_path}/go' ]; do sleep 0.02; done")
    later = Job(job.directory)

    assert later.running
    assert later.status is None
    (tmp_path / "go").touch()
    wait(lambda: not later.running)
    assert later.status is None  # nobody was there to hear it …
    assert not job.running
    assert later.status == 0  # … until the one that started it had


def test_its_complaint_is_the_last_error_with_what_belongs_to_it(tmp_path: Path) -> None:
    job = begun(tmp_path, "echo 'Error: one' >&2; echo more >&2; echo 'Error: two' >&2; echo '  because' >&2; echo x")
    wait(lambda: not job.running)

    assert job.complaint == "Error: two; because"


def test_what_was_never_started_is_not_known(tmp_path: Path) -> None:
    job = Jobs(tmp_path).of("0123456789")

    assert not job.known
    assert not job.running
    assert job.status is None
    assert job.said() == []
    assert job.command == []


def test_a_signal_is_its_end(tmp_path: Path) -> None:
    job = begun(tmp_path, "kill -9 $$")
    wait(lambda: not job.running)
    assert job.status == -signal.SIGKILL


def test_it_has_a_session_of_its_own_nothing_to_read_and_nothing_of_ours_open(tmp_path: Path) -> None:
    ours = os.open(tmp_path / "ours", os.O_WRONLY | os.O_CREAT, 0o600)
    script = (
        "import os, sys\n"
        "print(os.getsid(0) == os.getpid(), sys.stdin.read() == '')\n"
        "def number(fd):\n"
        "    try:\n        return os.fstat(fd).st_ino\n    except OSError:\n        return 0\n"
        f"print({os.fstat(ours).st_ino} in [number(fd) for fd in range(256)])"
    )
    job = Job(tmp_path / "acts" / "1")
    launch(job, [sys.executable, "-c", script], os.environ)
    os.close(ours)
    wait(lambda: not job.running)

    assert job.said() == ["True True", "False"]


def test_what_it_leaves_is_for_its_owner_only(tmp_path: Path) -> None:
    job = begun(tmp_path, "true")
    wait(lambda: not job.running)

    assert job.directory.stat().st_mode & 0o777 == 0o700
    assert job.directory.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in job.directory.iterdir()} == {0o600}


def test_one_act_is_one_command(tmp_path: Path) -> None:
    job = begun(tmp_path, "true")
    with pytest.raises(FileExistsError):
        launch(job, ["true"], os.environ)
    wait(lambda: not job.running)


def test_a_long_output_is_read_from_its_end(tmp_path: Path) -> None:
    job = begun(tmp_path, "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
    wait(lambda: not job.running)

    assert job.said(2) == ["line 4998", "line 4999"]
    assert len(job.said(5000)) < 2000


def test_it_outlives_the_event_loop_and_whoever_forgets_it(tmp_path: Path) -> None:
    go = tmp_path / "go"

    async def start() -> None:
        begun(tmp_path, f"while [ ! -e {go} ]; do sleep 0.05; done; echo done")

    asyncio.run(start())
    gc.collect()
    later = Job(tmp_path / "acts" / "0123456789")

    assert later.running
    go.touch()
    wait(lambda: not later.running)
    assert later.said() == ["done"]


def test_it_outlives_the_terminal_that_it_was_started_from(tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"while [ ! -e {go} ]; do sleep 0.02; done; echo done"
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom runbook.jobs import Job\nfrom runbook.launch import launch\n"
        f"launch(Job(Path({str(tmp_path)!r}) / 'acts' / '1'), ['/bin/sh', '-c', {command!r}], os.environ)\n"
        "os.killpg(0, signal.SIGHUP)"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, start_new_session=True, timeout=60)
    later = Job(tmp_path / "acts" / "1")

    assert ended.returncode == -signal.SIGHUP
    assert later.running
    go.touch()
    wait(lambda: not later.running)
    assert later.said() == ["done"]


@pytest.mark.parametrize("command", [["/nowhere/helm"], ["no-such-helm"], ["sh", "a\0b"]])
def test_what_cannot_be_started_was_not_sent(tmp_path: Path, command: list[str], kubeconfig: Path) -> None:
    cluster = asyncio.run(Cluster.connect(str(kubeconfig), None))
    hands = Hands(cluster, Stamp("INC-1", "0123456789"))

    with pytest.raises(NotSent, match=r"nothing was sent: .* cannot be started"):
        hands.spawn(Jobs(tmp_path).of("0123456789"), command)


def test_it_knows_the_incident_and_the_act(tmp_path: Path, kubeconfig: Path) -> None:
    cluster = asyncio.run(Cluster.connect(str(kubeconfig), None))
    job = Jobs(tmp_path).of("0123456789")
    Hands(cluster, Stamp("INC-1", "0123456789")).spawn(job, [*SHELL, "echo $WARROOM_INCIDENT $WARROOM_ACT $HOME"], {})
    wait(lambda: not job.running)

    assert job.said() == ["INC-1 0123456789"]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(
        '{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],'
        '"clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],'
        '"users": [{"name": "a", "user": {}}]}',
        encoding="utf-8",
    )
    return path
