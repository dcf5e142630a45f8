"""``warroom drill``: the console on the embedded platform; also lists scenarios, serves one, joins and controls it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli import OK
from tui.commands.console import before_textual, has_terminal
from tui.drill_joined import JoinedDrill
from tui.drill_process import DrillProcess
from tui.options import DRILL_RUNBOOK, from_arguments
from tui.sentences import CommandFailed, say
from tui.toml_table import close_to

if TYPE_CHECKING:
    import argparse

DEFAULT_SCENARIO = "payment-release"


def run(arguments: argparse.Namespace) -> int:
    _check_flags(arguments)
    if arguments.list or arguments.template or arguments.check is not None:
        return _files(arguments)
    if arguments.control is not None:
        return _control(arguments)
    if arguments.join is not None:
        return _console(arguments, JoinedDrill(Path(arguments.join).expanduser(), arguments.context or ""))
    scenario = _scenario(arguments)
    if arguments.serve:
        from drill.serve import main

        named = ["--scenario", scenario] if scenario else []
        return main([*named, *_platform_flags(arguments), *_people(arguments)])
    return _console(arguments, DrillProcess(scenario, _platform_flags(arguments)))


def _console(arguments: argparse.Namespace, drill: DrillProcess | JoinedDrill) -> int:
    with drill as platform:
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


def _check_flags(arguments: argparse.Namespace) -> None:
    """What goes with what. argparse knows only that these four exclude each other."""
    if arguments.kubeconfig or (arguments.context and arguments.join is None):
        raise CommandFailed("a drill brings its own cluster: --kubeconfig and --context do not go with it")
    if arguments.control is None and (arguments.do or arguments.json):
        raise CommandFailed("--do and --json go with --control")
    if not arguments.serve and (arguments.people or arguments.debrief):
        raise CommandFailed("--for and --debrief go with --serve")
    if arguments.output and not arguments.template:
        raise CommandFailed("-o goes with --template")
    if arguments.surprise and arguments.scenario:
        raise CommandFailed(f"a surprise is no surprise with a name: leave out --surprise, or {arguments.scenario}")
    served = arguments.join is not None or arguments.control is not None
    if served and (arguments.surprise or arguments.seed is not None):
        raise CommandFailed("the platform that is served has its scenario: --surprise and --seed go with --serve")
    if arguments.scenario and (arguments.join is not None or arguments.control is not None):
        raise CommandFailed("the platform that is served has its scenario; name none with --join and --control")


def _control(arguments: argparse.Namespace) -> int:
    from tui import drill_control

    remote = drill_control.connect(arguments.control)
    if arguments.do:
        done = drill_control.do(remote, arguments.do)
        if not arguments.json:
            for one in done:
                print(drill_control.said(one))
            return OK
    if arguments.json:
        print(drill_control.to_json(drill_control.state(remote)))
    elif has_terminal():
        before_textual()
        from tui.control_app import run_control

        return run_control(remote, arguments)
    else:
        drill_control.write(drill_control.state(remote), no_color=arguments.no_color)
    return OK


def _files(arguments: argparse.Namespace) -> int:
    from tui import drill_files

    if arguments.list:
        return drill_files.listed(no_color=arguments.no_color)
    if arguments.template:
        return drill_files.template(arguments.output)
    return drill_files.check(arguments.check, arguments.runbook or DRILL_RUNBOOK)


def _scenario(arguments: argparse.Namespace) -> str:
    """The name of a scenario, or a file with one that is right; empty for a surprise, whose name nobody may see."""
    if arguments.surprise:
        return ""
    # The default is not looked up: a first frame would wait for it.
    return _known(arguments.scenario, arguments.seed or 0) if arguments.scenario else DEFAULT_SCENARIO


def _known(name: str, seed: int) -> str:
    from drill.scenario import ScenarioError, names
    from drill.scenario_file import is_file, load

    if is_file(name):
        try:
            load(name, seed)
        except ScenarioError as error:
            hint = f"; warroom drill --check {name} tells all of them" if re.search(r":\d+: \S+: ", str(error)) else ""
            raise CommandFailed(f"{error}{hint}") from None
        return name
    known = names()
    if name not in known:
        raise CommandFailed(f"there is no scenario {name}{close_to(name, known)}; warroom drill --list names them all")
    return name


def _people(arguments: argparse.Namespace) -> list[str]:
    from drill.team import checked_names

    try:
        names = checked_names(arguments.people or ())
    except ValueError as error:
        raise CommandFailed(f"--for: {error}") from None
    return [*(f"--for={name}" for name in names), *([f"--debrief={arguments.debrief}"] if arguments.debrief else [])]


def _platform_flags(arguments: argparse.Namespace) -> list[str]:
    flags: list[str] = ["--surprise"] if arguments.surprise else []
    if arguments.seed is not None:  # a surprise without one is drawn where it is played: a list of processes names none
        flags += ["--seed", str(arguments.seed)]
    for name in ("pods", "nodes", "events", "churn", "speed"):
        value = getattr(arguments, name)
        if value != (1.0 if name == "speed" else 0):
            flags += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return flags
