"""``warroom report``: how incidents were handled over a period, as tables with bars, or as JSON. Drills never count."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from incident import report as metrics
from incident.instants import now_ms, rfc3339
from incident.practising import exercise_of, exported, progress
from incident.report import Case, Group, Report, case_of, counts
from incident.review import duration
from tui.cli import OK
from tui.columns import Page
from tui.incident_choice import must_exist, opened
from tui.left_drills import settled
from tui.measure import standard_of
from tui.options import from_arguments
from tui.sentences import CommandFailed, say
from widgets.plain import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from incident.entry import Incident
    from incident.practising import Exercise, Progress
    from incident.standard import Standard

_AGO = re.compile(r"-?(\d{1,6})([dhw])", re.ASCII)
_UNITS = {"h": 3_600_000, "d": metrics.DAY, "w": 7 * metrics.DAY}
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
        _show(found, page)
        _show_progress(people, page)
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
                cases.append(await asyncio.to_thread(case_of, incident, entries, standard))
                if drills:
                    practised.append(await asyncio.to_thread(exercise_of, incident, entries, standard))
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
    shown = [group for group in found.groups if group.incidents]
    if found.drills:
        print("DRILLS ONLY: exercises, not incidents.\n")
    page.table(
        ("SEVERITY", "COUNT", "OPEN", "MTTD", "MTTA", "MTTM", "MTTR", "DETECTION", "RESPONSE", "RESOLUTION"),
        (("", _cells(group)) for group in (*shown, found.overall)),
    )
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


def _show_progress(people: list[Progress], page: Page) -> None:
    """Each person's drills, oldest first, with a bar of their points."""
    for one in people:
        gained = "" if one.gained is None else f", {one.gained:+d} from the first to the last"
        mean = "no drill was finished" if one.mean is None else f"mean {one.mean}, best {one.best}{gained}"
        print(
            f"\n{plain(one.person)}: {len(one.exercises)} {'drill' if len(one.exercises) == 1 else 'drills'}, {mean}."
        )
        page.table(
            ("DRILL", "DAY", "SCENARIO", "POINTS", "", "SEVERITY", "MITIGATED", "PATH", "HARM"),
            ((_grade(each), _exercise(each)) for each in one.exercises),
        )


def _grade(one: Exercise) -> str:
    if one.counted is None:
        return ""
    return "" if one.counted >= 80 else "warn" if one.counted >= 50 else "bad"


def _exercise(one: Exercise) -> tuple[str, ...]:
    won = one.score
    day = rfc3339(one.incident.declared_at)[:10]
    if won is None:
        return (one.incident.id, day, one.scenario or "–", "no score", *("",) * 5)
    rows = {row.id: row for row in won.judged}
    points = won.points if won.points is not None else 0
    said = str(points) if won.finished else f"{points}, {won.state}"
    severity, took = rows["severity"], rows["mitigation"].took
    counted = [step for step in won.path if not step.given]
    return (
        one.incident.id,
        day,
        one.scenario,
        said,
        "█" * max(1, round(points / 10)) if won.finished else "",
        {"info": "–", "good": "right", "warn": "right late"}.get(severity.level, "wrong"),
        "–" if took is None else duration(took),
        f"{sum(step.at is not None for step in counted)}/{len(counted)}",
        str(len(won.harm)) if won.harm else "–",
    )


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
