"""The console as a process: it opens or says one sentence, and leaves a terminal as it was and no child behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from incident.practising import exercise_of
from incident.standard import NEUTRAL
from tests.drill.small_scenario import SMALL_FILE
from tests.faults.console_terminal import Terminal, gone
from tui.incident_choice import opened
from tui.left_drills import settled, unfinished

CTRL_Q = "\x11"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which nobody listens, and nobody can begin to."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def kubeconfig(home: Path, server: str, user: dict[str, Any] | None = None) -> Path:
    """A kubeconfig with one context, ``here``."""
    path = home / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "bank"}}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def written(home: Path, name: str, text: str) -> str:
    path = home / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(home: Path, *arguments: str) -> str:
    """The one sentence with which the console refuses to open; its status is 2 and the terminal as it was."""
    with Terminal(home, arguments) as terminal:
        assert terminal.end() == 2
        terminal.check_restored()
        assert "Traceback" not in terminal.output
        (sentence,) = "".join(terminal.last_words).split("warroom: ")[1:]
        assert len(terminal.last_words) <= 3, terminal.last_words  # one sentence, as the terminal wraps it
        assert terminal.last_words[0].startswith("warroom: ")
        return sentence


# ---------------------------------------------------------------- nothing to look at


def test_without_a_kubeconfig_one_sentence_says_where_one_was_looked_for(home: Path) -> None:
    sentence = refused(home)
    assert ".kube/config" in sentence
    assert "kubeconfig" in sentence


def test_a_kubeconfig_that_is_not_there_is_named(home: Path) -> None:
    assert "/nowhere/config" in refused(home, "--kubeconfig", "/nowhere/config")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "a: [1,\n  : : }", "\x00\x01", "- a\n- b\n"],
    ids=["empty", "braces", "garbage", "binary", "list"],
)
def test_a_kubeconfig_that_says_nothing_is_named(home: Path, text: str) -> None:
    path = written(home, "kubeconfig", text)
    assert path in refused(home, "--kubeconfig", path)


def test_a_context_that_is_not_there_is_named_beside_those_that_are(home: Path) -> None:
    path = str(kubeconfig(home, "https://127.0.0.1:1"))
    sentence = refused(home, "--kubeconfig", path, "--context", "wrong")
    assert "wrong" in sentence
    assert "here" in sentence


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[cluster]\ncontxt = "here"\n', "contxt"),
        ('[cluter]\ncontext = "here"\n', "cluter"),
        ('[console]\ntheme = "neon"\n', "neon"),
        ("[probes]\nendpoint_interval = true\n", "endpoint_interval"),
        ('[keys]\nlogs = "p"\n', "already belongs to"),
        ('[keys]\nlgos = "x"\n', "lgos"),
        ("[cluster\n", "line 1"),
    ],
    ids=["key", "table", "theme", "type", "clash", "action", "toml"],
)
def test_a_mistake_in_the_settings_is_named_with_its_file(home: Path, text: str, part: str) -> None:
    cluster = str(kubeconfig(home, "https://127.0.0.1:1"))
    path = written(home, "settings.toml", text)
    sentence = refused(home, "--config", path, "--kubeconfig", cluster)
    assert path in sentence
    assert part in sentence


def test_a_mistake_in_the_runbook_file_is_named_with_its_file_and_line(home: Path) -> None:
    cluster = str(kubeconfig(home, "https://127.0.0.1:1"))
    path = written(home, "runbook.yaml", "acts:\n  quiet_for: long\n")
    named = refused(home, "--runbook", path, "--kubeconfig", cluster)
    assert f"{path}:2: acts.quiet_for: expected a number of seconds from 0 to 3600, found 'long'" in named

    written(home, "runbook.yaml", "name: x\nseverities:\n  1: {name: Bad, definition: Bad, update_every: often}\n")
    named = refused(home, "--runbook", path, "--kubeconfig", cluster)
    assert f"{path}:3: severities.1.update_every: expected a duration" in named

    settings = written(home, "settings.toml", '[runbook]\nfile = "runbook.yaml"\n[keys]\nlogs = "ctrl+l"\n')
    assert f"{path}:3: severities.1.update_every" in refused(home, "--config", settings, "--kubeconfig", cluster)


# ---------------------------------------------------------------- a console that has to wait


@contextmanager
def console(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    with Terminal(home, arguments, environment) as terminal:
        terminal.says("Timeline")
        yield terminal


def left(terminal: Terminal) -> None:
    """Ctrl+q ends the console with status 0 and nothing said."""
    terminal.type(CTRL_Q)
    assert terminal.end() == 0
    terminal.check_restored()
    assert terminal.last_words == []


def test_an_unreachable_server_opens_a_console_that_says_so_and_stays(home: Path, closed_port: int) -> None:
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}"))
    with console(home, "--kubeconfig", path) as terminal:
        terminal.says("UNAVAILABLE")
        terminal.says("connection refused")
        left(terminal)


def test_a_credential_plugin_that_fails_is_told_in_the_panes(home: Path, closed_port: int) -> None:
    plugin = written(home, "login-tool", "#!/bin/sh\necho 'session expired' >&2\nexit 3\n")
    Path(plugin).chmod(0o700)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}", user))
    with console(home, "--kubeconfig", path) as terminal:
        terminal.says("login-tool failed")
        terminal.says("session expired")
        left(terminal)


def test_a_credential_plugin_that_is_not_installed_is_told_in_the_panes(home: Path, closed_port: int) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "kubelogin-not-here"}}
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}", user))
    with console(home, "--kubeconfig", path) as terminal:
        terminal.says("kubelogin-not-here cannot be started")
        left(terminal)


def test_leaving_at_the_first_sign_of_a_screen_is_no_fault(home: Path, closed_port: int) -> None:
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}"))
    with Terminal(home, ["--kubeconfig", path]) as terminal:
        terminal.says("warroom")
        left(terminal)


def test_a_console_on_a_home_that_cannot_be_written_opens_all_the_same(home: Path, closed_port: int) -> None:
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}"))
    nowhere = {"XDG_STATE_HOME": "/dev/null/state", "XDG_CONFIG_HOME": "/dev/null/config"}
    with console(home, "--kubeconfig", path, environment=nowhere) as terminal:
        terminal.says("NOT IN THE STORE")
        terminal.type(CTRL_Q)
        assert terminal.end() == 0


# ---------------------------------------------------------------- the end


@contextmanager
def drill(home: Path) -> Iterator[tuple[Terminal, int]]:
    """``warroom drill`` with its platform up, and the platform's process. Nothing is left of either afterwards."""
    temporary = home / "tmp"
    temporary.mkdir()
    with console(home, "drill", str(SMALL_FILE), environment={"TMPDIR": str(temporary)}) as terminal:
        terminal.says("payment-service")
        terminal.says("Declared SEV")  # by its own incident, beside the panes
        (platform,) = [pid for pid in terminal.children() if b"drill.serve" in command_line(pid)]  # not a git
        try:
            yield terminal, platform
            assert gone(platform)
            assert left_behind(temporary) == []
            assert drills(home) == [("left unfinished", True)]
        finally:
            if not gone(platform, limit=0.1):
                os.kill(platform, signal.SIGKILL)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def drills(home: Path) -> list[tuple[str, bool]]:
    """What ``warroom incidents`` and ``warroom report --drills`` make of each drill: its status, whether it counts."""

    async def read() -> list[tuple[str, bool]]:
        store = home / ".local" / "state" / "warroom" / "warroom.db"
        await settled(store, "somebody")
        async with opened(store, read_only=True) as found:
            incidents = await found.incidents()
            left = await unfinished(found, incidents)
            exercises = [exercise_of(one, await found.entries(one.id), NEUTRAL) for one in incidents]
        return [
            ("left unfinished" if one.incident.id in left else one.incident.status, one.counted is None)
            for one in exercises
        ]

    return asyncio.run(read())


def test_leaving_a_drill_takes_its_platform_along(home: Path) -> None:
    with drill(home) as (terminal, _):
        left(terminal)


def test_a_drill_that_is_killed_leaves_nothing_and_counts_as_unfinished(home: Path) -> None:
    with drill(home) as (terminal, _):
        terminal.kill(signal.SIGKILL)
        assert terminal.end() == -signal.SIGKILL


def test_a_drill_whose_platform_is_killed_stays_open_and_cleans_up_when_it_is_left(home: Path) -> None:
    with drill(home) as (terminal, platform):
        os.kill(platform, signal.SIGKILL)
        terminal.says("connection refused")
        left(terminal)


def test_a_drill_that_is_told_to_end_leaves_no_platform_and_a_terminal_as_it_was(home: Path) -> None:
    with drill(home) as (terminal, _):
        terminal.kill(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        terminal.check_restored()


def test_a_closed_terminal_ends_the_console_and_its_platform(home: Path) -> None:
    with drill(home) as (terminal, _):
        terminal.close()
        terminal.end()


def test_an_interrupt_at_any_point_of_a_start_leaves_nothing(home: Path) -> None:
    temporary = home / "tmp"
    temporary.mkdir()
    for after in (0.05, 0.2, 0.5):
        with Terminal(home, ["drill", str(SMALL_FILE)], {"TMPDIR": str(temporary)}) as terminal:
            time.sleep(after)  # wherever it is by then: it must not matter
            terminal.type("\x03")
            while not terminal.ends_within(0.3):
                terminal.type(CTRL_Q)  # a console that listens already takes ctrl-c for a key
            assert left_behind(temporary) == []


def left_behind(temporary: Path) -> list[str]:
    """What is still in a directory for temporary files once no process has it for its own."""
    mark = f"TMPDIR={temporary}".encode()

    def uses_it(process: Path) -> bool:
        try:
            return mark in (process / "environ").read_bytes()
        except OSError:
            return False

    for process in Path("/proc").glob("[0-9]*"):
        if uses_it(process):
            assert gone(int(process.name)), process
    return [path.name for path in temporary.iterdir()]


def test_an_interrupt_is_a_key_and_not_the_end(home: Path, closed_port: int) -> None:
    path = str(kubeconfig(home, f"https://127.0.0.1:{closed_port}"))
    with console(home, "--kubeconfig", path) as terminal:
        terminal.says("UNAVAILABLE")
        terminal.type("\x03")
        terminal.type("?")
        terminal.says("The selected row in full")
        left(terminal)
