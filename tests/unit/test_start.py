"""What the start leaves out: imports that the first frame and the first rows do not need, and garbage collections."""

from __future__ import annotations

import subprocess
import sys


def run_python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def imported(modules: str, unwanted: tuple[str, ...]) -> str:
    """Those of ``unwanted`` that are there after ``modules`` were imported."""
    return run_python(f"import sys, {modules}\nprint(*(name for name in {unwanted!r} if name in sys.modules))")


def test_the_first_frame_waits_for_nothing_that_it_does_not_show() -> None:
    unwanted = ("tui.lookout", "tui.room", "tui.screens.console", "widgets.table", "probes.cluster", "sqlite3", "yaml")
    assert imported("tui.cli, tui.commands.console, tui.app", unwanted) == ""


def test_looking_needs_neither_the_panes_nor_the_heavy_clients() -> None:
    unwanted = ("tui.room", "widgets.table", "sqlite3", "aiohttp", "kubernetes", "yaml", "cryptography")
    assert imported("tui.lookout", unwanted) == ""


def test_collections_stop_for_the_start_and_go_on_after_it() -> None:
    script = (
        "import gc, sys\n"
        "from tui import collector\n"
        "turn = sys.getswitchinterval()\n"
        "collector.hold()\n"
        "held = gc.isenabled(), sys.getswitchinterval() < turn\n"
        "collector.release()\n"
        "print(held, gc.isenabled(), gc.get_freeze_count() > 0, sys.getswitchinterval() == turn)"
    )
    assert run_python(script) == "(False, True) True True True"


def test_a_console_that_never_held_collections_leaves_them_as_they_are() -> None:
    script = (
        "import gc\nfrom tui import collector\ncollector.release()\nprint(gc.get_freeze_count(), gc.get_threshold()[0])"
    )
    assert run_python(script) == "0 700"


def test_without_azure_in_the_settings_nothing_of_it_is_imported() -> None:
    unwanted = (
        "azure",
        "msrest",
        "probes.azure.rows",
        "widgets.databases",
        "widgets.azure_changes",
        "tui.azure_probes",
    )
    modules = "tui.lookout, tui.room, tui.screens.console, tui.acting, tui.writing, probes.transitions, tui.vital_signs"
    assert imported(modules, unwanted) == ""
    assert imported("tui.look_text, tui.look, tui.diagnosis", unwanted[:3]) == ""
