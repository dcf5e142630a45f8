"""What incidents are measured against, from the runbook file: its targets, questions and names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from incident.standard import NEUTRAL, Check, Level, Standard, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook.response import Response
    from tui.options import ConsoleOptions

_HEADING = re.compile(r"(#{2,3}) +(.+?)\s*")
# What the review fills by itself: these headings of a template ask nobody anything.
_OURS = {"incident summary", "timeline", "response time analysis", "action items"}


def standard_of(options: ConsoleOptions, *, drill: bool = False) -> Standard:
    """The standard of the runbook file in force; the neutral one where none is named. Raises SettingsError.

    A ``drill`` is held against the runbook that it was played with, where none is named: the banking platform's.
    """
    if drill and not options.runbook:
        from tui.options import DRILL_RUNBOOK

        options = replace(options, runbook=DRILL_RUNBOOK)
    return converted(options.read_runbook().response) if options.runbook else NEUTRAL


def converted(response: Response) -> Standard:
    """A runbook's response as a standard. Where it says nothing, the neutral one counts."""
    mandatory = tuple(item.text for one in response.checklists if one.when == "review" for item in one.items)
    return Standard(
        levels=tuple(
            Level(
                level=one.level,
                name=one.name,
                detect_within=one.detect_within,
                respond_within=one.respond_within,
                resolve_within=one.resolve_within,
                update_every=one.update_every,
                first_update_within=one.first_update_within,
            )
            for one in response.severities
        )
        or NEUTRAL.levels,
        topics=tuple(_topics(response.templates.get("review", ""))) or NEUTRAL.topics,
        mandatory=mandatory or NEUTRAL.mandatory,
        resolution=tuple(_resolution(response)),
        others=tuple(_others(response)),
        roles={role.id: role.name for role in response.roles} or NEUTRAL.roles,
        channels={channel.id: channel.name for channel in response.channels},
        checklists=_names(response),
    )


def _resolution(response: Response) -> Iterator[Check]:
    for one in response.checklists:
        for item in one.items if one.when == "resolve" else ():
            if item.severities or not item.scenarios:
                yield Check(list=one.id, item=item.id, text=item.text, severities=item.severities)


def _others(response: Response) -> Iterator[Check]:
    for one in response.checklists:
        for item in one.items if one.when != "resolve" else ():
            yield Check(list=one.id, item=item.id, text=item.text, severities=item.severities, scenarios=item.scenarios)


def _names(response: Response) -> dict[str, str]:
    """The titles of everything whose items are ticked: checklists, and the guides of phases and scenarios."""
    phases = {phase.id: f"Phase {number}: {phase.title}" for number, phase in enumerate(response.phases, 1)}
    scenarios = {scenario.id: f"Scenario {scenario.number}: {scenario.title}" for scenario in response.scenarios}
    return phases | scenarios | {checklist.id: checklist.title for checklist in response.checklists}


def _topics(template: str) -> Iterator[Topic]:
    """The sections and questions that a review template leaves to people, from its headings."""
    title = ""
    questions: list[str] = []
    for match in filter(None, map(_HEADING.fullmatch, template.splitlines())):
        level, words = match.groups()
        if "{" in words:
            continue  # what it says is not known before it is filled
        if level == "##":
            if title:
                yield Topic(title=title, questions=tuple(questions))
            title, questions = ("" if words.lower() in _OURS else words), []
        elif title and words.lower() not in _OURS:
            questions.append(words)
    if title:
        yield Topic(title=title, questions=tuple(questions))
