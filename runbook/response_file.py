"""The response part of the runbook file: how this platform declares, classifies, communicates, verifies and reviews.

docs/runbook-file.md describes every key; `runbook.playbook_file` reads the part about mitigations. A file that has none
of this leaves it to the neutral runbook, which ships; one that has some of it must have severities, and gets from the
neutral one only the templates that it does not bring itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import cast

from msgspec import Struct

from incident.templates import UPDATE_FIELDS, fault_of
from runbook import playbook_file, response_guides
from runbook.known import MITIGATIONS
from runbook.playbook import Playbook
from runbook.response import FACTS, Extra, Fact, MatrixRow, Response, Role, SeverityLevel
from runbook.response_channels import channels, parties
from runbook.response_guides import one_of, severity
from runbook.yaml_table import Table, YamlError, read

ResponseError = YamlError

NEUTRAL = playbook_file.SHIPPED / "neutral.yaml"
TEMPLATES = ("status-update", "review", "customer-update")
WORST, LEAST = 1, 4  # what an incident can be
SHORT = 5  # characters of a role in the banner

_MINUTE, _DAY = 60.0, 86_400.0
_YEAR = 365 * _DAY
_PART = (
    "name",
    "severities",
    "matrix",
    "roles",
    "parties",
    "channels",
    "phases",
    "scenarios",
    "checklists",
    "framework",
    "templates",
    "extras",
    "services",
    "resolution",
)


class Runbook(Struct, frozen=True):
    """The whole file. ``own`` is whether the response is the file's, and not the neutral one."""

    playbook: Playbook
    response: Response
    own: bool


def load(path: Path, *, compiled: bool = False) -> Runbook:
    """Read and check the whole file, which is parsed once. Raises `YamlError`.

    With ``compiled`` its templates are compiled too, which imports Jinja2.
    """
    file = read(path)
    playbook = playbook_file.playbook_of(file)
    own = any(file.has(key) for key in _PART)
    response = response_of(file, playbook.commands, compiled=compiled) if own else None
    file.done()
    return Runbook(playbook, response or neutral(), own)


def load_response(path: Path, *, compiled: bool = False) -> Response:
    return load(path, compiled=compiled).response


@cache
def neutral() -> Response:
    """The response of those who have none of their own."""
    return load(NEUTRAL).response


def response_of(file: Table, commands: Collection[str] = (), *, compiled: bool = False) -> Response:
    """The response part of a file that was read; ``commands`` are its own. Raises `YamlError`."""
    acts = (*MITIGATIONS, *commands)
    levels = _severities(file.table("severities"))
    if not levels:
        raise file.fault("severities", f"missing, expected severities from {WORST} (critical) to {LEAST} (low)")
    known = [level.level for level in levels]
    told = parties(file.table("parties"), known)
    scenarios = response_guides.scenarios(file.table("scenarios"), acts)
    resolution = file.table("resolution")
    response = Response(
        name=file.text("name"),
        severities=levels,
        matrix=_matrix(file.rows("matrix"), known),
        roles=_roles(file.table("roles")),
        parties=told,
        channels=channels(file.table("channels"), known, [party.id for party in told]),
        phases=response_guides.phases(file.table("phases"), acts),
        scenarios=scenarios,
        checklists=response_guides.checklists(file.table("checklists"), known, [each.id for each in scenarios]),
        framework=response_guides.framework(file.table("framework")),
        templates=_templates(file.table("templates"), compiled=compiled, whole=file.path == NEUTRAL),
        extras=_extras(file.table("extras")),
        services=_services(file.table("services")),
        errors_gone_for=_seconds(resolution, "errors_gone_for", 600.0, low=_MINUTE, high=_DAY),
        watch_for=_seconds(resolution, "watch_for", 7200.0, low=0.0, high=7 * _DAY),
    )
    resolution.done()
    return response


def _severities(file: Table) -> tuple[SeverityLevel, ...]:
    """From the worst to the least."""
    found = []
    for key, table in file.tables():
        if not (key.isascii() and key.isdecimal() and WORST <= int(key) <= LEAST):
            raise file.fault(key, f"expected the number of a severity, from {WORST} (critical) to {LEAST} (low)")
        level = SeverityLevel(
            level=int(key),
            name=table.text("name"),
            headline=table.text("headline", ""),
            definition=table.text("definition"),
            examples=table.texts("examples"),
            notify=table.text("notify", ""),
            response=table.text("response", ""),
            updates=table.text("updates", ""),
            detect_within=table.duration("detect_within", None, low=1, high=_YEAR),
            respond_within=table.duration("respond_within", None, low=1, high=_YEAR),
            resolve_within=table.duration("resolve_within", None, low=1, high=_YEAR),
            update_every=_seconds(table, "update_every", 3600.0, low=_MINUTE, high=30 * _DAY),
            first_update_within=_seconds(table, "first_update_within", 300.0, low=_MINUTE, high=30 * _DAY),
        )
        table.done()
        found.append(level)
    if len({level.level for level in found}) != len(found):  # 1 and 01
        raise file.fault("", "a severity is there twice")
    return tuple(sorted(found, key=lambda level: level.level))


def _seconds(table: Table, key: str, default: float, *, low: float, high: float) -> float:
    return cast(float, table.duration(key, default, low=low, high=high))


def _matrix(rows: Iterable[Table], levels: Collection[int]) -> tuple[MatrixRow, ...]:
    found = []
    for table in rows:
        when = table.table("when")
        facts: dict[Fact, bool] = {}
        for name in when.keys_there():
            one_of(when, name, name, FACTS, "fact that the matrix can ask for")
            facts[cast(Fact, name)] = when.flag(name, False)
        if not facts:
            raise table.fault("when", f"expected answers, e.g. {FACTS[0]}: yes")
        level = table.number("severity", None, low=WORST, high=LEAST)
        words = table.text("words")
        found.append(MatrixRow(words=words, when=facts, severity=severity(table, "severity", level, levels)))
        table.done()
    return tuple(found)


def _roles(file: Table) -> tuple[Role, ...]:
    found = []
    for name, table in file.named():
        role = Role(
            id=name,
            name=table.text("name"),
            short=table.text("short"),
            does=table.text("does", ""),
            responsibilities=table.texts("responsibilities"),
            primary=table.text("primary", ""),
            backup=table.text("backup", ""),
            availability=table.text("availability", ""),
            core=table.flag("core", True),
        )
        if len(role.short) > SHORT:
            raise table.wrong("short", f"at most {SHORT} characters, for the banner")
        table.done()
        found.append(role)
    return tuple(found)


def _services(file: Table) -> dict[str, bool]:
    """Globs of workloads → whether they are critical. The critical ones are asked first."""
    found: dict[str, bool] = {}
    for key, critical in (("critical", True), ("not_critical", False)):
        for glob in file.texts(key):
            if glob in found:
                raise file.fault(key, f"{glob} is named already")
            if not glob.strip():
                raise file.fault(key, "expected the name of a workload or a pattern like *payment*")
            found[glob] = critical
    file.done()
    return found


def _templates(file: Table, *, compiled: bool, whole: bool) -> dict[str, str]:
    found = {}
    for name in file.keys_there():
        one_of(file, name, name, TEMPLATES, "template that the console fills")
        found[name] = file.block(name)
    for name, text in found.items() if compiled else ():
        fault = fault_of(text, () if name == "review" else UPDATE_FIELDS)
        if fault is not None:
            line, words = fault
            raise file.fault(name, f"this template cannot be used: {words}", file.line_of(name, line))
    for name in TEMPLATES:
        if name not in found and whole:
            raise file.fault(name, "missing, expected a template: this file stands in for others")
    return found if whole or len(found) == len(TEMPLATES) else neutral().templates | found


def _extras(file: Table) -> tuple[Extra, ...]:
    found = tuple(Extra(title=title, lines=file.texts(title, None)) for title in file.keys_there())
    file.done()
    return found
