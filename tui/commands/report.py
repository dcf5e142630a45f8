"""``warroom report``: how incidents were handled over a period, as tables with bars, or as JSON. Drills never count."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from incident import report as metrics
from incident.instants import now_ms
from incident.practising import drill_case, exercise_of, exported, progress
from incident.report import Case, Group, Report, case_of, counts
from incident.review import duration
from tui import drill_progress
from tui.cli import OK
from tui.columns import Page
from tui.incident_choice import must_exist, opened
from tui.left_drills import settled
from tui.measure import standard_of
from tui.options import from_arguments
from tui.sentences import CommandFailed, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from incident.entry import Incident
    from incident.practising import Exercise
    from incident.standard import Standard

_AGO = re.compile(r"-?(\d{1,6})([dhw])", re.ASCII)
_UNITS = {"h": 3_600_000, "d": metrics.DAY, "w": 7 * metrics.DAY}
DRILL_TIMES = (
    "Targets as met of judged. MTTD as the score has it: from when the drill was opened, or from its first symptom if "
    "that came later, where its incident was not declared by itself. What was left is counted, and is in no mean."
)
_WIDE = 110  # columns for means and targets side by side
_BAR = 30  # characters


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    now = now_ms()
    since = _instant(arguments.since, now) if arguments.since else None
    until = _instant(arguments.until, now) if arguments.until else now + 1
    if since is not None and since >= until:
        raise CommandFailed(f"--since {arguments.since} is not before --until {arguments.until or 'now'}")
    must_exist(options.store)
    if arguments.drills:
        asyncio.run(settled(options.store, options.settings.author))
    standard = standard_of(options, drill=arguments.drills)
    cases, every, practised = asyncio.run(_read(options.store, standard, since, until, drills=arguments.drills))
    people = progress(practised)
    found = metrics.report(
        cases,
        every,
        standard,
        since=since,
        until=until,
        now=now,
        drills=arguments.drills,
        repeat_days=arguments.repeat_days,
    )
    if arguments.json:
        more = {"progress": exported(people)} if arguments.drills else {}
        print(json.dumps(metrics.to_json(found) | more, indent=2))
    elif found.cases:
        page = Page(no_color=options.no_color)
        if arguments.drills:
            print("DRILLS ONLY: exercises, not incidents.")
            drill_progress.show(people, page)
            _show_means(found, page)
            print(f"\n{textwrap.fill(DRILL_TIMES, min(page.columns, 100))}")
        else:
            _show(found, page)
    else:
        say(f"no {'drills' if arguments.drills else 'incidents'} in this period in {options.store}")
    return OK


async def _read(
    path: Path, standard: Standard, since: int | None, until: int, *, drills: bool
) -> tuple[list[Case], list[Incident], list[Exercise]]:
    """The period's cases, all incidents, and of drills how each was handled, which takes their evidence."""
    async with opened(path, read_only=True) as store:
        every = await store.incidents()
        cases, practised = [], []
        for incident in every:
            if counts(incident, since, until, drills=drills):
                entries = await store.entries(incident.id, evidence=drills)
                if drills:
                    practised.append(await asyncio.to_thread(exercise_of, incident, entries, standard))
                    cases.append(await asyncio.to_thread(drill_case, practised[-1], entries, standard))
                else:
                    cases.append(await asyncio.to_thread(case_of, incident, entries, standard))
        return cases, every, practised


def _instant(text: str, now: int) -> int:
    """A day, an RFC 3339 time, or so long ago, as ms. Raises CommandFailed."""
    if ago := _AGO.fullmatch(text):
        return max(0, now - int(ago.group(1)) * _UNITS[ago.group(2)])
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(
            f"{text} is no time: write a day (2026-11-01), an RFC 3339 time, or so long ago (30d)"
        ) from error
    return round((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)


def _show(found: Report, page: Page) -> None:
    shown = _show_means(found, page)
    print("\nTargets as met of judged. MTTD from the first symptom; MTTA, MTTM and MTTR from detection.\n")
    page.table(("", "", "MEAN"), (("", row) for row in _bars(shown)))
    print()
    if found.repeats:
        page.table(
            ("REPEAT", "OF", "DAYS LATER", "IN COMMON"),
            (("warn", (one.incident, one.of, f"{one.days:g}", one.why)) for one in found.repeats),
        )
    else:
        print("No incident came back.")
    done = len(found.followups) - len(found.open)
    print(f"\nFollow-ups: {done} of {len(found.followups)} done, {len(found.open)} open, {len(found.overdue)} overdue.")
    if found.open:
        late = {id(item) for _, item in found.overdue}
        page.table(
            ("INCIDENT", "DUE", "PRIORITY", "OWNER", "WHAT"),
            (
                (
                    "bad" if id(item) in late else "",
                    (
                        incident,
                        (item.due.isoformat() + (" OVERDUE" if id(item) in late else "")) if item.due else "–",
                        item.priority or "–",
                        item.owner or "–",
                        item.text,
                    ),
                )
                for incident, item in found.open
            ),
        )


def _show_means(found: Report, page: Page) -> list[Group]:
    """The severities that there are, which it returns, and all of them together."""
    shown = [group for group in found.groups if group.incidents]
    names = ("SEVERITY", "COUNT", "OPEN", "MTTD", "MTTA", "MTTM", "MTTR", "DETECTION", "RESPONSE", "RESOLUTION")
    rows = [_cells(group) for group in (*shown, found.overall)]
    if page.columns >= _WIDE:
        page.table(names, (("", row) for row in rows))
    else:  # the targets below the means
        page.table(names[:7], (("", row[:7]) for row in rows))
        print()
        page.table((names[0], *names[7:]), (("", (row[0], *row[7:])) for row in rows))
    return shown


def _cells(group: Group) -> tuple[str, ...]:
    return (
        group.name,
        str(group.incidents),
        str(group.open),
        *(duration(mean) if known else "–" for mean, known in group.means.values()),
        *(f"{met}/{met + missed}" if met + missed else "–" for met, missed in group.targets.values()),
    )


def _bars(groups: list[Group]) -> Iterator[tuple[str, str, str]]:
    """A chart: a bar for each mean of each severity, against the longest one of that mean."""
    for name in metrics.MEANS:
        longest = max((group.means[name][0] for group in groups), default=0)
        for group in groups:
            mean, known = group.means[name]
            if known:
                length = round(_BAR * mean / longest) if longest else 0
                yield f"{name.upper()} {group.name}", "█" * max(length, 1 if mean else 0), duration(mean)
