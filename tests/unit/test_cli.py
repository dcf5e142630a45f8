"""The command line as a shell sees it: exit statuses, stdout for data, stderr for talk, and never a traceback."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm_program
from tests.warm_program import Done
from tui.cli import build_parser, program_name

PROGRAM = (sys.executable, "-m", "tui.cli")
HEAVY = ("textual", "aiohttp", "kubernetes", "yaml", "platformdirs", "asyncio", "logging", "tomllib", "msgspec")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user who has never run the program: no settings, no store, no kubeconfig."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")}
    return kept | {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def warroom(environ: dict[str, str], *arguments: str) -> Done:
    """Run the program with no terminal."""
    return warm_program.done(arguments, environ)


def test_the_module_imports_nothing_that_a_first_frame_would_wait_for() -> None:
    probe = f"import sys, tui.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_help_names_every_command_and_exits_0(environ: dict[str, str]) -> None:
    done = warroom(environ, "--help")

    assert done.status == 0
    assert done.err == ""
    for command in ("drill", "status", "doctor", "log", "declare", "incidents", "export", "verify"):
        assert f"\n    {command} " in done.out


@pytest.mark.parametrize("command", ["drill", "status", "doctor", "log", "declare", "incidents", "export", "verify"])
def test_every_command_has_help(environ: dict[str, str], command: str) -> None:
    done = warroom(environ, command, "--help")

    assert done.status == 0
    assert done.out.startswith(f"usage: warroom {command} ")


def test_the_version_is_one_line_on_stdout(environ: dict[str, str]) -> None:
    done = warroom(environ, "--version")

    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("warroom 0.")


def test_as_a_plugin_it_calls_itself_kubectl_warroom() -> None:
    assert program_name("/usr/local/bin/kubectl-warroom") == "kubectl warroom"
    assert program_name("warroom") == "warroom"
    assert build_parser("kubectl warroom").format_usage().startswith("usage: kubectl warroom ")


@pytest.mark.parametrize(
    "arguments",
    [("stauts",), ("--contxt", "x"), ("export",), ("log",), ("drill", "--pods", "-3"), ("status", "--timeout", "nan")],
)
def test_wrong_usage_exits_2_and_says_so_on_stderr(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    done = warroom(environ, *arguments)

    assert (done.status, done.out) == (2, "")
    assert "usage: warroom" in done.err
    assert "error: " in done.err


def test_namespaces_and_all_namespaces_exclude_each_other(environ: dict[str, str]) -> None:
    done = warroom(environ, "-n", "prod", "status", "-A")

    assert done.status == 2
    assert "exclude each other" in done.err


def test_the_console_without_a_terminal_says_so_and_points_to_status(environ: dict[str, str]) -> None:
    done = warroom(environ)

    assert (done.status, done.out) == (2, "")
    assert done.err == "warroom: a console needs a terminal; without one, try: warroom status\n"


def test_no_kubeconfig_is_one_sentence_and_exit_2(environ: dict[str, str]) -> None:
    done = warroom(environ, "status")

    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "there is no kubeconfig" in done.err


def test_a_wrong_context_is_told_with_those_there_are(environ: dict[str, str], tmp_path: Path) -> None:
    config = kubeconfig(tmp_path)

    done = warroom(environ, "--kubeconfig", str(config), "status", "--context", "prud")

    assert done.status == 2
    assert "there is no context 'prud'" in done.err
    assert "prod" in done.err.split("known contexts")[1]


def test_an_unreachable_server_is_exit_2_and_one_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    done = warroom(environ, "status", "--kubeconfig", str(kubeconfig(tmp_path)), "--timeout", "60")

    assert (done.status, done.out) == (2, "")
    assert "127.0.0.1:1" in done.err
    assert done.err.count("\n") == 1


def test_a_settings_typo_names_file_key_and_what_was_meant(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[console]\nthem = 'nord'\n", encoding="utf-8")

    done = warroom(environ, "status", "--config", str(file))

    assert done.status == 2
    assert done.err == f"warroom: {file}: console.them: no such setting; did you mean theme?\n"


def test_a_settings_file_that_was_named_must_exist(environ: dict[str, str], tmp_path: Path) -> None:
    done = warroom(environ, "incidents", "--config", str(tmp_path / "no.toml"))

    assert done.status == 2
    assert "cannot read the settings: No such file" in done.err


def test_the_log_file_and_its_directory_are_private(environ: dict[str, str], tmp_path: Path) -> None:
    warroom(environ, "status", "--kubeconfig", str(kubeconfig(tmp_path)), "--timeout", "60")

    file = tmp_path / "state" / "warroom" / "warroom.log"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_log_file_that_cannot_be_written_does_not_stop_a_look(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory is needed", encoding="utf-8")

    done = warroom(environ, "status")

    assert done.status == 2
    assert "cannot write the log file, going on without" in done.err
    assert "there is no kubeconfig" in done.err


def test_a_reader_that_goes_away_is_no_error(environ: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        done = subprocess.run(
            [*PROGRAM, "drill", "--list"], env=environ, stdout=out, stderr=subprocess.PIPE, timeout=60, check=False
        )

    assert done.stderr == b""


def test_ctrl_c_ends_quietly_with_130(environ: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        frozen.settimeout(60)
        config = kubeconfig(tmp_path, port=frozen.getsockname()[1])
        with subprocess.Popen(
            [*PROGRAM, "status", "--kubeconfig", str(config)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As a shell starts it: Python leaves an ignored SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            connection, _ = frozen.accept()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            connection.close()

    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_frozen_server_is_given_up_in_time(environ: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        config = kubeconfig(tmp_path, port=frozen.getsockname()[1])

        done = warroom(environ, "status", "--kubeconfig", str(config), "--timeout", "1")

    assert (done.status, done.out) == (2, "")
    assert "within 1 s" in done.err


def test_a_console_whose_stderr_goes_to_a_file_is_drawn_on_the_terminal_all_the_same(
    environ: dict[str, str], tmp_path: Path
) -> None:
    talk = tmp_path / "talk"
    with talk.open("w") as file:
        status, screen = in_terminal(
            environ, "--kubeconfig", str(kubeconfig(tmp_path)), "--context", "prud", stderr=file.fileno()
        )

    assert status == 2
    assert "\x1b[?1049h" in screen
    assert "warroom" in screen
    assert talk.read_text().startswith("warroom: there is no context 'prud'")
    assert "\x1b" not in talk.read_text()


def in_terminal(environ: dict[str, str], *arguments: str, stderr: int | None = None) -> tuple[int, str]:
    """Run the real program in a terminal of its own: its exit status and all it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environ | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs if stderr is None else stderr,
    )
    os.close(theirs)
    screen = b""
    try:
        # Linux answers EIO when the last writer has gone.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                screen += chunk
        return process.wait(timeout=60), screen.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def kubeconfig(directory: Path, port: int = 1) -> Path:
    """A kubeconfig of a server on loopback; port 1 refuses."""
    file = directory / "kubeconfig"
    file.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: prod
contexts: [{{name: prod, context: {{cluster: prod, user: me, namespace: bank}}}}]
clusters: [{{name: prod, cluster: {{server: "https://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: t}}}}]
""",
        encoding="utf-8",
    )
    return file
