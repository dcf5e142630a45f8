"""A step of a guide that asks the SQL server: its rows are shown, and what it found is told like any other finding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from probes.errors import ProbeError
from runbook.diagnosis.wording import many
from runbook.guide_findings import KEPT, Found, bounded

if TYPE_CHECKING:
    from runbook.guide import GuideStep
    from runbook.sql_reading import Rows
    from runbook.sql_server import SqlServer
    from tui.room import ControlRoom

PRIMARY = "primary"
COPIES = "y copies the query"
MOST_TOLD = 160  # characters of the first row in a finding

_WORDS = re.compile(r"\s+")


def obstacle(host: ControlRoom) -> str:
    """Why no query can be asked here, with what is left to do; empty if one can. Nothing is looked at for that."""
    from runbook.sql_reading import MISSING, MISSING_HINT, installed

    if not host.settings.sql.configured:
        why = "the settings name no SQL server ([sql])"
    elif not installed():
        why = f"{MISSING} ({MISSING_HINT})"
    elif host.gate is None:
        return "not asked: the console is not ready to act yet, try again in a moment"
    else:
        return ""
    return f"not asked, {why}: {COPIES}, space ticks the step"


async def asked(host: ControlRoom, step: GuideStep) -> Found:
    """Ask what the step wants asked, and put the rows in front. What was refused is said, with what to do."""
    server = host.gate.sql if host.gate is not None else None
    if server is None:
        return _unasked(obstacle(host))
    from runbook.sql_reading import ask

    primary = step.look is not None and step.look.of == PRIMARY
    try:
        rows = await ask(server, step.query, primary=primary)
    except ProbeError as error:
        return _unasked(f"{error} ({error.hint})" if error.hint else str(error))
    from tui.screens.rows import RowsScreen

    # Not over a dialog that was opened meanwhile: the finding tells what there is to know of it.
    if host.app.screen is host.desk:
        host.app.push_screen(RowsScreen(host, step.text, f"{server.host}/{server.database}", step.query, rows))
    return found(server, step, rows, primary)


def found(server: SqlServer, step: GuideStep, rows: Rows, primary: bool) -> Found:
    """The finding of a query that was answered. A count of nothing, or no row at all, is good news in all of them."""
    where = f"{server.database}{' (primary)' if primary else ''}"
    one = len(rows.rows) == 1 and len(rows.columns) == 1
    said = rows.rows[0][0] if one else many(len(rows.rows), "row") + (" and more" if rows.more else "")
    well = not rows.rows or (one and said == "0")
    text = f"{where}: {said}"
    if rows.rows and not one:
        cells = zip(rows.columns, rows.rows[0], strict=True)
        first = ", ".join(f"{column or '?'} {_WORDS.sub(' ', cell)}" for column, cell in cells if cell != "NULL")
        text = f"{text}, the first: {first[:MOST_TOLD]}{'…' if len(first) > MOST_TOLD else ''}"
    return bounded(
        Found(
            text=text,
            level="good" if well else "warn",
            facts={
                "database": f"{server.host}/{server.database}",
                "columns": list(rows.columns),
                "rows": [list(row) for row in rows.rows[:KEPT]],
                "more": rows.more or len(rows.rows) > KEPT,
                "seconds": rows.seconds,
            },
        )
    )


def _unasked(why: str) -> Found:
    return bounded(Found(text=f"not asked: {why}; {COPIES}", known=False, level="warn"))
