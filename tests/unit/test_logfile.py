"""The log file: private, rotated, the last stop of what nobody caught, and never the screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PRELUDE = """
import asyncio, logging, sys, threading
from pathlib import Path
from tui import logfile
logfile.install(Path(sys.argv[1]))
"""


def run(file: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run ``program`` in a process of its own: logging is global."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program, str(file)], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_nobody_caught_goes_to_the_file_and_not_to_the_screen(tmp_path: Path) -> None:
    file = tmp_path / "state" / "warroom.log"

    done = run(
        file,
        """
def fail(word):
    raise ValueError(word)

async def forget():
    loop = asyncio.get_running_loop()
    logfile.install_asyncio(loop)
    loop.call_soon(fail, "in the loop")
    await asyncio.sleep(0)

thread = threading.Thread(target=fail, args=("in a thread",))
thread.start()
thread.join()
asyncio.run(forget())
fail("in the main thread")
""",
    )

    said = file.read_text(encoding="utf-8")
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode == 1
    for place in ("in a thread", "in the loop", "in the main thread"):
        assert f"ValueError: {place}" in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_rotated_and_every_file_stays_private(tmp_path: Path) -> None:
    file = tmp_path / "warroom.log"

    run(file, f"for _ in range(12): logging.getLogger('tui').info('x' * ({1024 * 1024}))")

    files = sorted(tmp_path.iterdir())
    assert [found.name for found in files] == ["warroom.log", "warroom.log.1", "warroom.log.2", "warroom.log.3"]
    assert {found.stat().st_mode & 0o777 for found in files} == {0o600}


def test_a_full_disk_is_not_printed_over_the_console() -> None:
    done = run(Path("/dev/full"), "logging.getLogger('tui').error('x')")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_text_that_is_no_text_is_logged_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "warroom.log"

    run(file, r"logging.getLogger('tui').error('half a pair: \ud800')")

    assert "half a pair: \\ud800" in file.read_text(encoding="utf-8")
