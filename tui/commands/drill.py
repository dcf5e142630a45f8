"""``warroom drill``: the console on the embedded platform; also lists the scenarios and serves one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.cli import OK
from tui.commands.console import before_textual, has_terminal
from tui.drill_process import DrillProcess
from tui.options import from_arguments
from tui.sentences import CommandFailed, say
from tui.toml_table import close_to

if TYPE_CHECKING:
    import argparse

DEFAULT_SCENARIO = "payment-release"


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list()
    # The default is not looked up: a first frame would wait for it.
    scenario = _known(arguments.scenario) if arguments.scenario else DEFAULT_SCENARIO
    if arguments.serve:
        from drill.serve import main

        return main(["--scenario", scenario, *_platform_flags(arguments)])
    if arguments.kubeconfig or arguments.context:
        raise CommandFailed("a drill brings its own cluster: --kubeconfig and --context do not go with it")
    with DrillProcess(scenario, _platform_flags(arguments)) as platform:
        # The platform starts while the console's imports run.
        options = from_arguments(arguments, platform)
        if has_terminal():
            before_textual()
            from tui.app import run_console

            return run_console(options)
        from tui.commands.status import show

        show(options.on_platform(platform.wait()))
        say("this was the drill's platform, once; a console needs a terminal")
        return OK


def _list() -> int:
    import textwrap

    from drill.scenario import load, names

    for name in names():
        scenario = load(name)
        print(f"{name}   SEV {scenario.severity}   {scenario.title}")
        for line in textwrap.wrap(scenario.summary, 96, break_on_hyphens=False):
            print(f"    {line}")
    return OK


def _known(name: str) -> str:
    from drill.scenario import names

    known = names()
    if name not in known:
        raise CommandFailed(f"there is no scenario {name}{close_to(name, known)}; warroom drill --list names them all")
    return name


def _platform_flags(arguments: argparse.Namespace) -> list[str]:
    flags: list[str] = []
    for name in ("pods", "nodes", "events", "churn", "speed"):
        value = getattr(arguments, name)
        if value != (1.0 if name == "speed" else 0):
            flags += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return flags
