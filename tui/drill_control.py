"""``warroom drill --control``: which platform is meant, and what can be done to it without a screen."""

from __future__ import annotations

import getpass
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.sentences import CommandFailed
from widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drill.control import Remote


_FOR_SCREENS = ("forms", "names")


def find(where: str) -> Path:
    """The file that says where a platform is controlled: ``where`` itself, in that directory, or the only one here."""
    from drill.private_directory import PREFIX, abandoned
    from drill.team import CONTROL_FILE

    if where:
        path = Path(where).expanduser()
        return path / CONTROL_FILE if path.is_dir() else path
    found = [
        path
        for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{CONTROL_FILE}"))
        if not abandoned(path.parent)
    ]
    if not found:
        raise CommandFailed("no drill is served on this machine; begin with: warroom drill --serve")
    if len(found) > 1:
        raise CommandFailed(f"{len(found)} drills are served here; name one: {', '.join(map(str, found))}")
    return found[0]


def connect(where: str) -> Remote:
    """Raises CommandFailed where there is no platform to control."""
    from drill.control import NoControl, Remote

    try:
        return Remote(find(where))
    except NoControl as error:
        raise CommandFailed(str(error)) from None


def organiser() -> str:
    """Who injects, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "organiser"


def do(remote: Remote, steps: Sequence[str]) -> list[dict[str, Any]]:
    """Have every step happen, in order, and stop at the first that is refused. Raises CommandFailed, saying which."""
    from drill.control import NoControl, Refusal

    done: list[dict[str, Any]] = []
    for step in steps:
        try:
            done.append(remote.do(step, organiser()))
        except Refusal as refusal:
            before = f"; {len(done)} before it happened" if done else ""
            raise CommandFailed(f"{step!r} did not happen{before}: {refusal}") from None
        except NoControl as error:
            raise CommandFailed(str(error)) from None
    return done


def state(remote: Remote) -> dict[str, Any]:
    """All that is known. Raises CommandFailed."""
    from drill.control import NoControl, Refusal

    try:
        return remote.state()
    except (NoControl, Refusal) as error:
        raise CommandFailed(str(error)) from None


def to_json(told: dict[str, Any]) -> str:
    """With its times as RFC 3339, and without what only a screen needs."""
    from drill.debrief import exported

    return json.dumps({name: exported(value) for name, value in told.items() if name not in _FOR_SCREENS}, indent=2)


def write(told: dict[str, Any], *, no_color: bool) -> None:
    """What was injected, what the script holds and who works, to stdout."""
    from tui.columns import Page

    page, now = Page(no_color=no_color), float(told["now"])
    page.heading("Injected", "" if told["injected"] else "nothing yet")
    page.table(
        ("TIME", "BY", "STEP", ""),
        (("bad" if one["failed"] else "", _injected(one, now)) for one in told["injected"]),
    )
    page.heading("Going on", ", ".join(told["lasting"]) or "nothing: the API servers are well")
    page.heading("Script")
    page.table(
        ("TIME", "", "STEP"),
        (("dim" if one["past"] else "", (_time(one["at"]), _when(one, now), one["step"])) for one in told["script"]),
    )
    page.heading("Working", "" if told["working"] else "nobody yet")
    page.table(
        ("WHO", "PROGRAM", ">REQUESTS", ">WRITES", "LAST", "LAST WRITE"),
        (
            (
                "",
                (
                    one["user"],
                    one["program"],
                    str(one["requests"]),
                    str(one["writes"]),
                    _time(one["last"]),
                    one["wrote"] or "–",
                ),
            )
            for one in told["working"]
        ),
    )


def said(one: dict[str, Any]) -> str:
    """One line for a step that was injected."""
    later = f", at {_time(one['due'])}" if float(one["due"]) - float(one["at"]) > 1 else ""
    return plain(f"{_time(one['at'])}  {one['step']}{later}", 1000)


def _injected(one: dict[str, Any], now: float) -> tuple[str, ...]:
    due = float(one["due"])
    note = str(one["failed"]) or (f"due at {_time(due)}" if due > now else "")
    return (_time(one["at"]), str(one["by"]), str(one["step"]), note)


def _when(one: dict[str, Any], now: float) -> str:
    from incident.review import duration

    return "past" if one["past"] else f"in {duration(max(0, round((float(one['at']) - now) * 1000)))}"


def _time(at: float) -> str:
    from drill.debrief import instant

    return instant(float(at)).replace("T", " ")[:19] + "Z"
