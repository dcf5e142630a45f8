"""The rows of the incident's card and of its checklists as they are drawn."""

from __future__ import annotations

from textual.content import Content

from tui.card import DIM, LOUD, Row
from tui.checklists import ItemView, ListView
from widgets.plain import clock, crop, fit, plain, width
from widgets.row_list import ListRow

LABEL = 22
"""Cells of a label."""

VALUE = 16
"""Cells of a short value, so that what stands after it is aligned."""

BOXES = {"done": "[✓]", "open": "[ ]", "not-needed": "[–]"}
WHEN = {"respond": "now", "resolve": "before resolving", "after": "after resolution", "review": "for the review"}


def card_row(row: Row, cells: int) -> ListRow:
    """A line of the card, at most ``cells`` wide."""
    if not row.id:
        return ListRow(f"heading {row.label}", Content.styled(f"\n{row.label}", "bold $text-accent"), heading=True)
    room = max(cells - LABEL - 2, 10)
    value = crop(plain(row.value, 500), room)
    if row.more:
        value = fit(value, max(width(value), VALUE))
    left = room - width(value) - 2
    more = crop(plain(row.more, 300), left) if row.more and left > 8 else ""
    whole = plain(row.value, 500), plain(row.more, 300)
    return ListRow(
        row.id,
        Content.assemble(
            (crop(plain(row.label, 60), LABEL).ljust(LABEL), "$foreground 80%"),
            "  ",
            (value, row.style),
            (f"  {more}" if more else "", DIM),
        ),
        full=" · ".join(filter(None, whole)) if "…" in (value + more)[-1:] or (row.more and not more) else "",
    )


def list_rows(found: list[ListView], cells: int, *, local: bool, now: float) -> list[ListRow]:
    """Every checklist with its items."""
    rows: list[ListRow] = []
    for index, one in enumerate(found):
        settled = f"{one.settled} of {len(one.items)}"
        first = "" if index == 0 else "\n"
        rows.append(
            ListRow(
                f"list {one.checklist.id}",
                Content.assemble(
                    (first + crop(plain(one.checklist.title, 80), cells - 24), "bold $text-accent" if one.now else DIM),
                    (f"  {settled}", "bold" if one.now else DIM),
                    (f"  {WHEN[one.checklist.when]}", DIM),
                ),
                heading=True,
            )
        )
        rows += [_item_row(item, cells, local=local, now=now, quiet=not one.now) for item in one.items]
    return rows


def _item_row(item: ItemView, cells: int, *, local: bool, now: float, quiet: bool) -> ListRow:
    text, (said, _) = plain(item.item.text, 300), _said(item, local, now)
    cut = max(width(text), width(plain(said, 400))) > cells - 4
    return ListRow(
        item_id(item),
        item_line(item, cells, local=local, now=now, quiet=quiet),
        full=" · ".join(filter(None, (text, plain(said, 400)))) if cut else "",
    )


def item_id(item: ItemView) -> str:
    return f"{item.list}/{item.item.id}"


def item_line(one: ItemView, cells: int, *, local: bool, now: float, quiet: bool = False) -> Content:
    """An item, and under it what a probe or a person says of it. ``quiet``: its time has not come, or is over."""
    state = one.tick.state if one.tick is not None else "open"
    style = {"done": "$text-success", "open": DIM if quiet else "bold", "not-needed": DIM}[state]
    dim = quiet or state == "not-needed"
    lines = [
        Content.assemble(
            (BOXES[state], style),
            " ",
            (crop(plain(one.item.text, 300), cells - 4), DIM if dim else ""),
        )
    ]
    said, how = _said(one, local, now)
    if said:
        lines.append(Content.styled(f"    {crop(plain(said, 400), cells - 4)}", how))
    return Content("\n").join(lines)


def _said(one: ItemView, local: bool, now: float) -> tuple[str, str]:
    if one.contradicted and one.reading is not None:
        return f"! but now: {one.reading.evidence}", LOUD
    tick = one.tick
    if tick is not None and tick.state != "open":
        who = "a probe" if tick.by == "probe" else tick.author
        return " · ".join(filter(None, (f"{who} {clock(tick.at / 1000, local, now)}", tick.note))), DIM
    if one.reading is None:
        return (tick.note, DIM) if tick is not None else ("", DIM)
    if one.reading.holds is None:
        return f"? {one.reading.evidence}", DIM
    note = f" · {tick.note}" if tick is not None and tick.by == "person" and tick.note else ""
    if one.reading.holds:
        return f"✓ {one.reading.evidence}{note}", DIM
    return f"✗ {one.reading.evidence}{note}", "$text-warning"
