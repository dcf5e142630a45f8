"""What the organiser's screen shows, as rows. Pure: out of what a platform told (`drill.organiser.Organiser.state`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.content import Content

from incident.review import duration
from widgets.plain import clock, crop, fit, plain
from widgets.row_list import ListRow

Told = Mapping[str, Any]

DIM = "$foreground 60%"
TIME, BY, LATER = 9, 10, 11
"""Cells of a time of day, of a name, of a time until."""


def step_rows(told: Told, cells: int) -> list[ListRow]:
    """Every kind of step, with an example; those of a script first, then trouble with the servers."""
    rows = [_heading("steps", "What a script can hold")]
    in_script = True
    for form in told["forms"]:
        if in_script and not any(field["name"] == "at" for field in form["fields"]):
            in_script = False
            rows.append(_heading("troubles", "\nTrouble with the servers, and words"))
        do, example, says = plain(form["do"]), plain(form["example"]), plain(form["says"], 300)
        rest = example.removeprefix(do).strip()
        lines = [
            Content.assemble((do, "bold $text-accent"), " ", (crop(rest, max(cells - len(do) - 1, 5)), "")),
            Content.styled(f"  {crop(says, max(cells - 2, 5))}", DIM),
        ]
        rows.append(ListRow(f"step {do}", Content("\n").join(lines), full=says))
    return rows


def script_rows(told: Told, cells: int, *, local: bool) -> list[ListRow]:
    """The scenario's script: what has happened, then a line for now, then what comes, with the time until then."""
    now = float(told["now"])
    rows: list[ListRow] = []
    coming = [one for one in told["script"] if not one["past"]]
    for number, one in enumerate(told["script"]):
        if one in coming[:1]:
            rows.append(_now(now, local))
        ahead = float(one["at"]) - now
        later = "past" if one["past"] else f"in {_span(ahead)}"
        what = plain(one["step"], 500)
        shown = crop(what, max(cells - TIME - LATER - 2, 5))
        style = DIM if one["past"] else "bold" if one in coming[:1] else ""
        content = Content.assemble(
            (fit(clock(float(one["at"]), local, now), TIME), DIM), " ", (fit(later, LATER), style), " ", (shown, style)
        )
        rows.append(ListRow(f"script {number}", content, full=what if shown != what else ""))
    if not coming:
        rows.append(_now(now, local))
        rows.append(_nothing("script end", "nothing more comes by itself"))
    return rows


def injected_rows(told: Told, cells: int, *, local: bool) -> list[ListRow]:
    """What was made to happen, newest first."""
    now = float(told["now"])
    rows = []
    for one in reversed(told["injected"]):
        due, failed = float(one["due"]), plain(one["failed"], 300)
        note = failed or (f"in {_span(due - now)}" if due > now else "")
        mark, style = (
            ("✗", "bold $text-error") if failed else ("…", "$text-warning") if due > now else ("✓", "$text-success")
        )
        what = plain(one["step"], 500) + (f"  {note}" if note else "")
        shown = crop(what, max(cells - TIME - BY - 4, 5))
        content = Content.assemble(
            (mark, style),
            " ",
            (fit(clock(float(one["at"]), local, now), TIME), DIM),
            " ",
            (fit(plain(one["by"]), BY), DIM),
            " ",
            (shown, "$text-error" if failed else ""),
        )
        rows.append(ListRow(f"injected {one['number']}", content, full=what if shown != what else ""))
    return rows or [_nothing("injected", "nothing yet")]


def working_rows(told: Told, cells: int) -> list[ListRow]:
    """Who asks the API server, the busiest moment last: who, with what, how much, and the last thing they changed."""
    now = float(told["now"])
    rows = []
    for one in told["working"]:
        since = max(0.0, now - float(one["last"]))
        who = fit(plain(one["user"]), 12)
        figures = f"{one['requests']:>6} asked {one['writes']:>4} written  {_span(since):>8} ago"
        wrote = plain(one["wrote"], 300)
        shown = crop(wrote, max(cells - 12 - 14 - len(figures) - 5, 0))
        content = Content.assemble(
            ("● " if since < 10 else "○ ", "$text-success" if since < 10 else DIM),
            (who, "bold"),
            " ",
            (fit(plain(one["program"]), 14), DIM),
            figures,
            ("  " + shown, DIM),
        )
        rows.append(ListRow(f"working {one['user']} {one['program']}", content, full=wrote if shown != wrote else ""))
    return rows or [_nothing("working", "nobody has asked anything yet")]


def headline(told: Told, cells: int) -> Content:
    """Which drill it is, and how far."""
    scenario = told["scenario"]
    now, opened, speed = float(told["now"]), float(told["opened"]), float(told["speed"])
    fast = f" · ×{speed:g}" if speed != 1 else ""
    right = f"since {clock(opened)} UTC · {_span(now - opened)}{fast} · {told['watches']} watches"
    left = f" DRILL CONTROL  {plain(scenario['name'])} · SEV {scenario['severity']} · {plain(scenario['title'], 200)}"
    room = max(cells - len(right) - 2, 20)
    return Content.assemble((fit(left, room), "bold"), ("  " if cells > 100 else " "), (right, DIM))


def going_on(told: Told) -> Content:
    """Which trouble with the servers lasts."""
    lasting: Sequence[str] = told["lasting"]
    if not lasting:
        return Content.styled(" ✓ the servers are well", DIM)
    return Content.styled(f" ! going on: {plain(' · '.join(lasting), 500)}   W ends it", "bold $text-warning")


def about(form: Told, names: Mapping[str, Sequence[str]]) -> str:
    """What the keys of a kind expect; ``names`` are those that the scenario has."""
    parts = []
    for field in form["fields"]:
        known = names.get(field["name"])
        if known and field["required"]:
            parts.append(f"{field['name']}*: {', '.join(known)}")
            continue
        usual = f" ({field['fallback']})" if field["fallback"] else ""
        parts.append(f"{field['name']}{'*' if field['required'] else ''}: {field['expects']}{usual}")
    return " · ".join(parts) or "it needs nothing"


def _heading(name: str, text: str) -> ListRow:
    return ListRow(f"heading {name}", Content.styled(text, "bold $text-accent"), heading=True)


def _now(now: float, local: bool) -> ListRow:
    return ListRow(
        "now", Content.styled(f"{fit(clock(now, local), TIME)} ── now ──", "bold $text-accent"), heading=True
    )


def _nothing(name: str, text: str) -> ListRow:
    return ListRow(f"no {name}", Content.styled(text, DIM), heading=True)


def _span(seconds: float) -> str:
    return duration(round(max(0.0, seconds) * 1000)).removeprefix("00:")
