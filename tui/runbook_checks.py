"""What ``warroom doctor`` says about the runbook file: whether it is right, templates included, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING

from tui.check import Check, Level
from tui.settings import SettingsError

if TYPE_CHECKING:
    from runbook.response import Channel, Response
    from runbook.response_file import Runbook
    from tui.options import ConsoleOptions


def read(options: ConsoleOptions) -> tuple[Runbook | None, list[Check]]:
    """The runbook in force, None if it is wrong, and a line for each of its parts. Takes a quarter of a second."""
    try:
        runbook = options.read_runbook(compiled=True)
    except SettingsError as error:
        advice = "correct the file, or choose another with --runbook"
        return None, [Check("runbook", Level.MISSING, str(error), advice)]
    return runbook, _checks(options.runbook, runbook)


def _checks(name: str, runbook: Runbook) -> list[Check]:
    playbook, response = runbook.playbook, runbook.response
    settings = _counted(playbook.mitigations, "mitigation")
    commands = _counted(playbook.commands, "command")
    if name:
        said = f"{name}: settings for {settings}, {commands} of its own"
        checks = [Check("runbook", Level.OK, said)]
    else:
        checks = [Check("runbook", Level.OK, "no file: mitigations as they suit any cluster")]
    whose = "" if runbook.own and name else ", which ships"
    people, guides = _held(response)
    checks += [Check("runbook", Level.OK, f"{response.name}{whose}: {people}"), Check("runbook", Level.OK, guides)]
    return checks + [_channel(channel, os.environ) for channel in response.channels]


def _held(response: Response) -> tuple[str, str]:
    """What there is of each part, in numbers: who and how bad, then what to do."""
    sections = [section for phase in response.phases for section in phase.sections]
    sections += [section for scenario in response.scenarios for section in scenario.sections]
    steps = [step for section in sections for step in section.steps]
    items = [item for each in response.checklists for item in each.items]
    people = (
        f"severities {', '.join(str(level.level) for level in response.severities)}",
        f"{_counted(response.matrix, 'row')} of the matrix",
        _counted(response.roles, "role"),
        f"{len(response.parties)} parties",
        _counted(response.channels, "channel"),
        f"{_counted(response.templates, 'template')}, which can be filled",
    )
    guides = (
        _counted(response.phases, "phase"),
        f"{_counted(response.scenarios, 'scenario')}, {_counted(steps, 'step')} in all",
        f"{_counted(response.checklists, 'checklist')} of {_counted(items, 'item')}",
        f"a flowchart of {_counted(response.framework, 'node')}" if response.framework else "no flowchart",
    )
    return " · ".join(people), " · ".join(guides)


def _channel(channel: Channel, environment: Mapping[str, str]) -> Check:
    from incident.channels.kinds import unset
    from incident.channels.message import Channel as Delivered

    where = Delivered(id=channel.id, name=channel.name, kind=channel.kind, env=channel.env, options=channel.options)
    missing = unset(where, environment)
    if not missing:
        return Check("channel", Level.OK, f"{channel.id} ({channel.kind}) has what it needs; nothing was sent")
    found = f"{channel.id} ({channel.kind}) is not used: {', '.join(missing)} not set"
    return Check("channel", Level.WARN, found, "set it where warroom is started, or take the channel out of the file")


def _counted(things: Sized, word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
