"""What people follow, read from the runbook file: phases, scenarios, checklists, the investigation framework.

Every reference to something else in the file, or to a mitigation, is checked where it stands.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast, get_args

from runbook.response import (
    Asks,
    Checklist,
    Item,
    Language,
    Look,
    LookAt,
    Phase,
    Question,
    Scenario,
    Section,
    Signal,
    Step,
    Symptom,
    When,
)
from runbook.sql_statements import objection
from runbook.yaml_table import Table, close_to

PANES = ("pods", "nodes", "services", "events", "changes", "databases")
HEAVIEST = 10  # weight of a symptom

_LOOKS: tuple[str, ...] = get_args(LookAt)
_LANGUAGES = tuple(filter(None, get_args(Language)))
_ASKS = tuple(filter(None, get_args(Asks)))
_WHEN: tuple[str, ...] = get_args(When)
_SIGNALS: tuple[str, ...] = get_args(Signal)
_SYMPTOMS: tuple[str, ...] = get_args(Symptom)


def phases(file: Table, acts: Collection[str]) -> tuple[Phase, ...]:
    """``acts`` are the ids of mitigations and commands that a step may start."""
    found = []
    for name, table in file.named():
        phase = Phase(
            id=name,
            title=table.text("title"),
            window=table.text("window", ""),
            sections=_sections(table.table("sections"), acts),
        )
        table.done()
        found.append(phase)
    return tuple(found)


def scenarios(file: Table, acts: Collection[str]) -> tuple[Scenario, ...]:
    """Numbered in the order in which the file has them."""
    found = []
    for number, (name, table) in enumerate(file.named(), 1):
        scenario = Scenario(
            id=name,
            number=number,
            title=table.text("title"),
            symptoms=table.text("symptoms"),
            causes=table.text("causes", ""),
            impact=table.text("impact", ""),
            fits=_fits(table.table("fits")),
            services=table.texts("services"),
            security=table.flag("security", False),
            sections=_sections(table.table("sections"), acts),
        )
        table.done()
        found.append(scenario)
    return tuple(found)


def _fits(table: Table) -> dict[Symptom, int]:
    found: dict[Symptom, int] = {}
    for name in table.keys_there():
        one_of(table, name, name, _SYMPTOMS, "symptom that the console can see")
        found[cast(Symptom, name)] = table.number(name, None, low=1, high=HEAVIEST)
    return found


def _sections(file: Table, acts: Collection[str]) -> tuple[Section, ...]:
    """Titles → ids → steps. An id is there once in a phase or scenario, because findings are recorded by it."""
    found, seen = [], dict[str, str]()
    for title, table in file.tables():
        steps = []
        for name in table.names():
            if name in seen:
                raise table.fault(name, f"there is a step of this name already, in {seen[name]}")
            seen[name] = title
            steps.append(_step(table, name, acts))
        if not steps:
            raise table.fault("", "expected steps, each with a name of its own")
        found.append(Section(title=title, steps=tuple(steps)))
    return tuple(found)


def _step(file: Table, name: str, acts: Collection[str]) -> Step:
    if file.is_text(name):
        return Step(id=name, text=file.text(name))
    table = file.table(name)
    code = table.block("code", "")
    language = table.choice("language", "bash", _LANGUAGES)
    if table.has("language") and not code:
        raise table.fault("language", "there is no code that could be in it")
    step = Step(
        id=name,
        text=table.text("text"),
        code=code,
        language=cast(Language, language) if code else "",
        query=table.block("query", ""),
        notes=table.texts("notes"),
        look=_look(table),
        mitigation=_mitigation(table, acts),
    )
    _check_query(table, step)
    table.done()
    return step


def _check_query(table: Table, step: Step) -> None:
    """A query is only ever a look, and one that a server would be asked must be there."""
    asks = step.look is not None and step.look.what == "sql"
    if not asks:
        if step.query:
            raise table.fault("query", "it is asked by nothing; expected look: sql beside it")
        return
    own = step.code if step.language == "sql" else ""
    key, query = ("query", step.query) if step.query else ("code", own)
    if not query:
        raise table.fault("look", "expected a query, or code with language: sql")
    if why := objection(query):
        raise table.fault(key, f"this would not be asked: {why}")


def _look(table: Table) -> Look | None:
    """``look: pods``, or ``look: {what: logs, of: payment-service}``."""
    if not table.has("look"):
        return None
    if table.is_text("look"):
        return Look(what=cast(LookAt, table.choice("look", None, _LOOKS)))
    inner = table.table("look")
    look = Look(what=cast(LookAt, inner.choice("what", None, _LOOKS)), of=inner.text("of", ""))
    inner.done()
    return look


def _mitigation(table: Table, acts: Collection[str]) -> str:
    name = table.text("mitigation", "")
    if name:
        one_of(table, "mitigation", name, acts, "mitigation")
    return name


def checklists(file: Table, levels: Collection[int], known: Collection[str]) -> tuple[Checklist, ...]:
    """``levels`` are the severities that there are, ``known`` the ids of the scenarios."""
    found = []
    for name, table in file.named():
        items = table.table("items")
        checklist = Checklist(
            id=name,
            title=table.text("title"),
            when=cast(When, table.choice("when", None, _WHEN)),
            items=tuple(_item(items, item, levels, known) for item in items.names()),
        )
        if not checklist.items:
            raise table.fault("items", "expected items, each with a name of its own")
        table.done()
        found.append(checklist)
    return tuple(found)


def _item(file: Table, name: str, levels: Collection[int], known: Collection[str]) -> Item:
    if file.is_text(name):
        return Item(id=name, text=file.text(name))
    table = file.table(name)
    signal = table.choice("signal", None, _SIGNALS) if table.has("signal") else None
    item = Item(
        id=name,
        text=table.text("text"),
        signal=cast(Signal, signal) if signal else None,
        severities=severities_of(table, levels),
        scenarios=table.texts("scenarios"),
    )
    for scenario in item.scenarios:
        one_of(table, "scenarios", scenario, known, "scenario")
    table.done()
    return item


# ---------------------------------------------------------------------- the investigation framework


def framework(file: Table) -> tuple[Question, ...]:
    """The flowchart: a graph with one beginning and without circles. The root is the first."""
    tables = dict(file.named())
    nodes = {name: _question(table, name) for name, table in tables.items()}
    led_to: set[str] = set()
    for name, node in nodes.items():
        for key, other in (("yes", node.yes), ("no", node.no), ("next", node.next)):
            if other:
                one_of(tables[name], key, other, nodes, "node")
                led_to.add(other)
    for name in nodes:
        circle = _circle(nodes, name)
        if circle:
            raise file.fault(name, f"this goes round in a circle: {' → '.join(circle)}")
    roots = [name for name in nodes if name not in led_to]
    if len(roots) > 1:
        raise file.fault(roots[1], f"nothing leads here, and the flowchart begins with {roots[0]} already")
    return tuple(sorted(nodes.values(), key=lambda node: node.id not in roots))


def _question(table: Table, name: str) -> Question:
    asks = table.choice("asks", None, _ASKS) if table.has("asks") else ""
    node = Question(
        id=name,
        text=table.text("text"),
        asks=cast(Asks, asks),
        yes=table.text("yes", ""),
        no=table.text("no", ""),
        next=table.text("next", ""),
        pane=table.choice("pane", None, PANES) if table.has("pane") else "",
    )
    table.done()
    if node.asks and node.next:
        raise table.fault("next", "a question goes on at yes and no; next is for what is done")
    if not node.asks and (node.yes or node.no):
        raise table.fault("yes" if node.yes else "no", f"nothing is asked here; expected asks: {', '.join(_ASKS)}")
    return node


def _circle(nodes: dict[str, Question], start: str) -> list[str]:
    """The way from a node back to itself, empty if there is none."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop()
        node = nodes[way[-1]]
        for other in filter(None, (node.yes, node.no, node.next)):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


# ---------------------------------------------------------------------- references


def severities_of(table: Table, levels: Collection[int]) -> tuple[int, ...]:
    """The list ``severities`` of a table; each of them must be there."""
    found = table.numbers("severities")
    for level in found:
        severity(table, "severities", level, levels)
    return found


def severity(table: Table, key: str, level: int, levels: Collection[int]) -> int:
    if level not in levels:
        raise table.fault(key, f"there is no severity {level}; there are: {', '.join(map(str, levels)) or 'none'}")
    return level


def one_of(table: Table, key: str, name: str, known: Collection[str], what: str) -> str:
    """A name that stands elsewhere too. Raises `YamlError`."""
    if name not in known:
        names = list(known)
        there = close_to(name, names) or f"; there are: {', '.join(names) or 'none'}"
        raise table.fault(key, f"there is no {what} {name}{there}")
    return name
