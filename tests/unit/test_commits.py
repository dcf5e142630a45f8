"""The commits probe against real repositories made by the real git."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from probes.commits import CommitsProbe, check_since
from probes.errors import ConfigError
from probes.freshness import Snapshot, State
from probes.rows import Commit


def git(repository: Path, *arguments: str, at: float | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment |= {"GIT_AUTHOR_NAME": "payments-dev", "GIT_AUTHOR_EMAIL": "dev@bank.example"}
    environment |= {"GIT_COMMITTER_NAME": "ci", "GIT_COMMITTER_EMAIL": "ci@bank.example"}
    if at is not None:
        environment["GIT_COMMITTER_DATE"] = f"{int(at)} +0000"
        environment["GIT_AUTHOR_DATE"] = f"{int(at) - 86400} +0000"
    subprocess.run(["git", "-C", str(repository), *arguments], check=True, env=environment, capture_output=True)


def commit(repository: Path, subject: str, *, ago: float = 60.0) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "-m", subject, at=time.time() - ago)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    return tmp_path


async def first(probe: CommitsProbe) -> Snapshot[Commit]:
    async with asyncio.timeout(60):
        return await anext(aiter(probe.watch()))


async def test_commits_of_the_window_come_newest_first_with_author_subject_and_commit_time(repository: Path) -> None:
    commit(repository, "long ago", ago=3 * 86400)
    commit(repository, "payments: raise the pool's timeout", ago=900)
    commit(repository, "a subject with \x1b[31m an escape, ünicode and a ; rm -rf", ago=60)

    snapshot = await first(CommitsProbe(repository))

    assert snapshot.freshness.state is State.LIVE
    rows = list(snapshot.rows.values())
    assert [row.subject for row in rows] == [
        "a subject with \x1b[31m an escape, ünicode and a ; rm -rf",
        "payments: raise the pool's timeout",
    ]
    assert rows[1].author == "payments-dev"
    assert rows[1].at == pytest.approx(time.time() - 900, abs=30)
    assert len(rows[1].commit) == 40
    assert list(snapshot.rows) == [row.key for row in rows]


async def test_a_new_commit_appears_with_the_next_look_and_is_named_as_changed(repository: Path) -> None:
    commit(repository, "one")
    async with asyncio.timeout(60):
        snapshots = CommitsProbe(repository, interval=0.05).watch()
        before = await anext(snapshots)
        commit(repository, "two", ago=1)
        after = await anext(snapshots)
        while len(after.rows) == 1:
            assert after.changed == frozenset()
            after = await anext(snapshots)
    assert after.changed == frozenset(after.rows) - frozenset(before.rows)
    assert after.version > before.version


async def test_a_repository_without_commits_is_live_and_empty(repository: Path) -> None:
    snapshot = await first(CommitsProbe(repository))
    assert (snapshot.freshness.state, len(snapshot.rows)) == (State.LIVE, 0)


async def test_a_directory_inside_the_checkout_will_do(repository: Path) -> None:
    commit(repository, "one")
    (repository / "charts").mkdir()
    assert len((await first(CommitsProbe(repository / "charts"))).rows) == 1


async def test_no_checkout_says_which_setting_names_one() -> None:
    freshness = (await first(CommitsProbe(None))).freshness
    assert (freshness.state, freshness.detail) == (State.LIVE, "no checkout configured")
    assert "[git] checkout" in freshness.hint


async def test_a_directory_that_is_no_repository_is_called_that(tmp_path: Path) -> None:
    freshness = (await first(CommitsProbe(tmp_path))).freshness
    assert freshness.state is State.UNAVAILABLE
    assert freshness.detail == f"{tmp_path} is not a git repository"


async def test_a_missing_directory_is_called_missing(tmp_path: Path) -> None:
    freshness = (await first(CommitsProbe(tmp_path / "gone"))).freshness
    assert freshness.detail == f"the checkout {tmp_path / 'gone'} is not there"


async def test_a_surrounding_git_hook_does_not_send_git_elsewhere(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    git(elsewhere, "init", "--quiet")
    commit(elsewhere, "not ours")
    commit(repository, "ours")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    assert [row.subject for row in (await first(CommitsProbe(repository))).rows.values()] == ["ours"]


async def test_git_that_is_not_installed_is_said_to_be_missing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    freshness = (await first(CommitsProbe(repository))).freshness
    assert freshness.detail == "git is not installed, or not on PATH"


async def test_a_git_that_hangs_is_stopped_and_the_rows_of_before_stay_as_stale(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit(repository, "one")
    async with asyncio.timeout(60):
        snapshots = CommitsProbe(repository, interval=0.05, timeout=0.5).watch()
        while not (await anext(snapshots)).freshness.live:
            pass  # on a slow machine git may take longer once
        slow = tmp_path_factory.mktemp("slow")
        pid = slow / "pid"
        (slow / "git").write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
        (slow / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(slow), prepend=os.pathsep)
        snapshot = await anext(snapshots)
        while snapshot.freshness.live or not (pid.exists() and pid.read_text()):
            snapshot = await anext(snapshots)
        await snapshots.aclose()
    assert snapshot.freshness.state is State.STALE
    assert snapshot.freshness.detail == f"git log in {repository} gave no answer within 0.5 s"
    assert [row.subject for row in snapshot.rows.values()] == ["one"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    "since",
    ["2 hours ago", "2.hours.ago", "1 day", "a week ago", "yesterday", "last week", "2026-11-23", "2026-11-23 14:00",
     "2026-11-23T14:00:00Z"],
)  # fmt: skip
def test_windows_that_git_reads_as_meant_are_taken(since: str) -> None:
    check_since(since)


@pytest.mark.parametrize("since", ["", "banana", "2 huors ago", "--output=/tmp/x", "2 hours\nago", "14h"])
def test_windows_that_git_would_misread_are_refused_with_an_example(since: str) -> None:
    with pytest.raises(ConfigError, match="is not a time") as refusal:
        check_since(since)
    assert '"2 hours ago"' in refusal.value.hint


async def test_a_bad_window_is_a_snapshot_that_says_so(repository: Path) -> None:
    freshness = (await first(CommitsProbe(repository, "banana"))).freshness
    assert (freshness.state, freshness.detail) == (State.UNAVAILABLE, 'since = "banana" is not a time')
