"""``warroom log``: one line onto the open incident's timeline, durable when the command ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from incident.editor import LineError, ParsedLine, parse_line
from incident.entry import Draft, Kind
from incident.instants import now_ms, rfc3339
from tui.cli import FAILED, OK
from tui.incident_choice import HOW_TO_DECLARE, chosen, must_exist, recording
from tui.left_drills import end_left
from tui.options import from_arguments
from tui.sentences import CommandFailed, say
from widgets.plain import plain

if TYPE_CHECKING:
    import argparse
    from datetime import tzinfo

    from incident.recorder import Recorded
    from incident.store import Store
    from tui.options import ConsoleOptions


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    parsed = _parsed(" ".join(arguments.text), arguments.at, _zone(options.settings.console.clock))
    must_exist(options.store)
    recorded = asyncio.run(_record(options, parsed, arguments.incident, arguments.author))
    entry = recorded.entry
    if entry is None:
        # The next program that opens the store writes what is kept; only memory, and we end now.
        say(recorded.error if recorded.kept_in else f"the line is not saved anywhere, write it again: {recorded.error}")
        return FAILED
    what = "TODO " if entry.kind is Kind.FOLLOWUP else ""
    print(plain(f"{entry.incident} #{entry.seq} {rfc3339(entry.happened_at)} {entry.author}: {what}{entry.text}", 2000))
    return OK


def _parsed(text: str, at: str | None, zone: tzinfo) -> ParsedLine:
    """``--at TIME`` means what the same time at the beginning of the line means."""
    try:
        if at is None:
            return parse_line(text, now_ms=now_ms(), tz=zone)
        # The text's own beginning must not be taken for the time when TIME is none.
        if parse_line(f"{at} x", now_ms=now_ms(), tz=zone).text != "x":
            raise CommandFailed(f"--at: expected a time like 14:02, -5m or 2026-11-23T14:02:42Z, found {at}")
        return parse_line(f"{at} {text}", now_ms=now_ms(), tz=zone)
    except LineError as error:
        raise CommandFailed(str(error)) from error


def _zone(clock: str) -> tzinfo:
    """The zone in which a time without one is meant: that of the console's clock."""
    local = datetime.now(UTC).astimezone().tzinfo
    return local if clock == "local" and local is not None else UTC


async def _record(options: ConsoleOptions, parsed: ParsedLine, wanted: str | None, author: str | None) -> Recorded:
    async with recording(options.store) as recorder:
        return await recorder.record(
            await _incident(recorder.store, wanted, options.settings.author),
            Draft(
                text=parsed.text,
                author=author or options.settings.author,
                kind=parsed.kind,
                happened_at=parsed.happened_at,
            ),
        )


async def _incident(store: Store, wanted: str | None, author: str) -> str:
    if wanted:
        return (await chosen(store, wanted)).id
    current = await store.current()
    if current is not None and current.drill:
        await end_left(store, author)
        current = await store.current()
    if current is None:
        raise CommandFailed(f"there is no open incident to write to; {HOW_TO_DECLARE}, or name one with --incident")
    return current.id
