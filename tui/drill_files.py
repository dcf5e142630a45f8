"""Scenarios in a shell: the list of those that ship, the check of one's own, the template to start from."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli import OK, UNHEALTHY
from tui.columns import Page
from tui.sentences import CommandFailed, say
from widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drill.document import Place
    from drill.good import Good
    from drill.scenario import Scenario
    from drill.scenario_file import Checked
    from runbook.response_file import Runbook

_WIDEST = 100


def listed(*, no_color: bool) -> int:
    """The scenarios that ship, without what would give their answers away."""
    from drill.scenario import load, names

    rows = [(name, load(name)) for name in names()]
    Page(no_color=no_color).table(
        ("SCENARIO", "SEVERITY", "TITLE"),
        (("", (name, f"SEV {scenario.severity}", scenario.title)) for name, scenario in rows),
    )
    return OK


def template(output: str | None) -> int:
    """Print the template, or write it where nothing is yet."""
    from drill.scenario_file import TEMPLATE

    text = TEMPLATE.read_text(encoding="utf-8")
    if not output or output == "-":
        sys.stdout.write(text)
        return OK
    path = Path(output).expanduser()
    try:
        with path.open("x", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
    except FileExistsError:
        raise CommandFailed(f"{output} is there already, and is left as it is") from None
    say(f"{output} is a scenario: warroom drill --check {output} checks it, warroom drill {output} plays it")
    return OK


def check(name: str, runbook: str) -> int:
    """Every mistake of a file by line and key (status 1), or what it is. ``runbook`` is as `--runbook` names it."""
    from drill import document
    from drill.scenario import ScenarioError
    from drill.scenario_file import check as look

    try:
        found = look(name)
    except ScenarioError as error:
        _write(str(error))
        return UNHEALTHY
    mistakes, shown = list(found.mistakes), document.printable(name)
    if found.good is not None:
        mistakes += _unknown(found, found.good, _runbook(runbook))
    if mistakes:
        for line, said in sorted(mistakes):
            _write(f"{shown}:{line}: {said}")
        say(f"{shown}: {len(mistakes)} {'mistake' if len(mistakes) == 1 else 'mistakes'}")
        return UNHEALTHY
    assert found.scenario is not None
    try:
        seen = [*_at_the_start(found.scenario)]
    except Exception as error:  # whatever it is: the scenario cannot be played
        logging.getLogger(__name__).info("cannot be played", exc_info=error)
        _write(f"{shown}: the platform cannot start with it: {type(error).__name__}: {error}")
        return UNHEALTHY
    for part in _described(shown, found.scenario, found.varies, seen):
        _write(part)
    return OK


def _runbook(name: str) -> Runbook:
    from runbook import playbook_file, response_file

    try:
        return response_file.load(playbook_file.find(name))
    except playbook_file.PlaybookError as error:
        raise CommandFailed(str(error)) from error


def _unknown(found: Checked, good: Good, runbook: Runbook) -> Iterator[tuple[int, str]]:
    """What the response names that the runbook it is scored against does not have."""
    from drill import document, shape
    from runbook.known import MITIGATIONS

    response = runbook.response
    acts = [*MITIGATIONS, *runbook.playbook.commands]
    roles = [role.id for role in response.roles]
    lists = [one.id for one in response.checklists]
    lists += [*(phase.id for phase in response.phases), *(guide.id for guide in response.scenarios)]

    def unknown(what: str, name: str, known: list[str], *below: str | int) -> Iterator[tuple[int, str]]:
        place: Place = ("good", *below)
        if name and name not in known:
            near = shape.close_to(name, known) or f"; there are: {', '.join(known)}"
            said = f"{document.dotted(place)}: the runbook has no {what} {name!r}{near}"
            yield document.line_of(found.root, place), said

    for index, step in enumerate(good.path):
        for number, act in enumerate(step.act):
            yield from unknown("mitigation", act, acts, "path", index, "act", number)
        yield from unknown("role", step.role, roles, "path", index, "role")
        yield from unknown("checklist", step.checklist, lists, "path", index, "checklist")
    for index, one in enumerate(good.harmful):
        yield from unknown("mitigation", one.act, acts, "harmful", index, "act")


def _described(shown: str, scenario: Scenario, varies: int, seen: list[str]) -> Iterator[str]:
    """What the scenario is, in a few lines."""
    offsets = [at for at, _ in scenario.steps()]
    later = sum(at > 0 for at in offsets)
    pods = sum(service.replicas for service in scenario.services)
    yield f"{shown}: right."
    yield f"  {scenario.name}: SEV {scenario.severity}, {scenario.title}"
    yield f"  {scenario.summary}"
    yield (
        f"  platform: {scenario.cluster}/{scenario.namespace}, {_count(scenario.nodes, 'node')}, "
        f"{_count(scenario.services, 'service')} with {pods} pods, {_count(scenario.addons, 'addon')}"
        + (f", Azure with {_count(scenario.azure.databases, 'database')}" if scenario.azure is not None else "")
    )
    commits = _count(scenario.commits, "commit")
    yield f"  script: {_count(offsets, 'step')}, {later} of them while somebody works; {commits}"
    yield f"  at the start: {'; '.join(seen) or 'nothing is wrong'}"
    good = scenario.good
    if good is None:
        yield "  good: nothing, so it is played without a score"
    else:
        harmful = f"{len(good.harmful)} harmful {'act' if len(good.harmful) == 1 else 'acts'}"
        within = f", well again within {good.mitigate_within / 60:g} min" if good.mitigate_within else ""
        yield f"  good: severity {good.severity}, {_count(good.path, 'step')}{within}, {harmful}"
    yield f"  varies: {_count(range(varies), 'row')}" + (
        ", and every variant that was tried is right" if varies else ""
    )


def _at_the_start(scenario: Scenario) -> Iterator[str]:
    """What is ill when somebody opens it: the platform lives through its past for that, without serving."""
    from drill.platform import Platform
    from drill.world import DEPLOYMENT, NODE, STATEFUL_SET

    platform = Platform(scenario)
    platform.plane.stop()
    for kind in (DEPLOYMENT, STATEFUL_SET):
        for obj in platform.store.list(kind):
            wanted, ready = obj["spec"]["replicas"], (obj.get("status") or {}).get("readyReplicas") or 0
            if ready < wanted:
                yield f"{obj['metadata']['name']} has {ready} of {wanted} pods ready"
    for node in platform.store.list(NODE):
        for one in node["status"]["conditions"]:
            if (one["type"] == "Ready") != (one["status"] == "True"):
                yield f"{node['metadata']['name']} is {'NotReady' if one['type'] == 'Ready' else one['type']}"
    for part in (*platform.health.report()["entries"].values(), platform.health.login()):
        said = part.get("description", "")
        if said and "endpoint" not in said:  # what is not ready is said above
            yield said


def _count(things: object, word: str) -> str:
    number = len(things)  # type: ignore[arg-type]
    return f"{number} {word}{'' if number == 1 else 's'}"


def _write(text: str) -> None:
    """One line; on a terminal wrapped, with what follows below its beginning."""
    text = plain(text, 4000)
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        indent = " " * (len(text) - len(text.lstrip()) + 4)
        text = textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    print(text)
