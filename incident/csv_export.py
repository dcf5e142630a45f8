"""The timeline as CSV (RFC 4180), a row for each line in order of happening, for spreadsheets.

It begins with a byte order mark: without one, Excel takes UTF-8 for the machine's own code page; everything else that
reads CSV skips it. Nothing in it is ever calculated (`incident.escape.csv_cell`), so texts may differ from the record
by a ``'``; the JSON export has them as they are. Every field is quoted, and lines end as spreadsheets want it.
"""

from __future__ import annotations

import csv
import io

from incident.dossier import Dossier
from incident.entry import Kind
from incident.escape import csv_cell
from incident.instants import rfc3339

COLUMNS = (
    *("incident", "drill", "happened_at", "recorded_at", "last_at", "count", "author", "source", "kind", "level"),
    *("text", "outcome", "amended_at", "amended_by", "before", "retracted", "owner", "due", "priority", "evidence"),
    *("id", "hash"),
)


def to_csv(found: Dossier) -> str:
    """The timeline. ``evidence`` is its number in the review's appendix; ``before`` the text before the amendments."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    out.write("\ufeff")
    writer.writerow(COLUMNS)
    followups = {line.id: item for line, item in found.followups}
    identity = csv_cell(found.incident.id)
    drill = "DRILL" if found.incident.drill else ""
    for line in found.timeline.lines:
        entry, item = line.entry, followups.get(line.id)
        amendments = [one for one in found.timeline.history(line.id) if one.kind is Kind.AMENDMENT]
        number = found.numbers.get(entry.id)
        # What people, probes and other machines' files say is made inert; instants and numbers are the program's own.
        row = (
            *(identity, drill, rfc3339(line.happened_at), rfc3339(entry.recorded_at), rfc3339(line.last_at)),
            *(str(line.count), csv_cell(entry.author), str(entry.source), str(entry.kind), csv_cell(line.level)),
            csv_cell(line.text),
            csv_cell(line.outcome or ""),
            rfc3339(line.amended_at) if line.amended_at is not None else "",
            csv_cell(amendments[-1].author) if amendments else "",
            csv_cell(entry.text) if amendments else "",
            csv_cell(line.retracted or ""),
            *(
                (csv_cell(item.owner), item.due.isoformat() if item.due else "", item.priority)
                if item
                else ("", "", "")
            ),
            f"E{number}" if number else "",
            csv_cell(entry.id),
            entry.hash,
        )
        writer.writerow(row)
    return out.getvalue()
