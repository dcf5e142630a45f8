"""``warroom drill``: the console on the embedded platform; also lists the scenarios and serves one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.cli import OK
from tui.commands.console import has_terminal
from tui.drill_process import DrillProcess
from tui.options import from_arguments
from tui.sentences import CommandFailed, say

if TYPE_CHECKING:
    import argparse

DEFAULT_SCENARIO = "payment-release"


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list()
    scenario = arguments.scenario or DEFAULT_SCENARIO
    if arguments.serve:
        from drill.serve import main

        return main(["--scenario", scenario, *_platform_flags(arguments)])
    if arguments.kubeconfig or arguments.context:
        raise CommandFailed("a drill brings its own cluster: --kubeconfig and --context do not go with it")
    with DrillProcess(scenario, _platform_flags(arguments)) as platform:
        # The platform starts while the console's imports run.
        options = from_arguments(arguments, platform)
        if has_terminal():
            from tui.app import run_console

            return run_console(options)
        from tui.commands.status import show

        show(options.on_platform(platform.wait()))
        say("this was the drill's platform, once; a console needs a terminal")
        return OK


def _list() -> int:
    from drill.scenario import SCENARIOS

    width = max(map(len, SCENARIOS))
    for name, scenario in sorted(SCENARIOS.items()):
        print(f"{name:<{width}}  {scenario.summary}")
    return OK


def _platform_flags(arguments: argparse.Namespace) -> list[str]:
    flags: list[str] = []
    for name in ("pods", "nodes", "events", "churn", "speed"):
        value = getattr(arguments, name)
        if value != (1.0 if name == "speed" else 0):
            flags += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return flags
