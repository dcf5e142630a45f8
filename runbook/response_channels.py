"""Whom updates reach and through what, read from the runbook file: the notification matrix and the channels.

A channel names environment variables and holds no secret. A value that looks like one is refused, and never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import cast, get_args

from incident.channels.kinds import wrong_with
from incident.channels.message import Channel as Delivered
from runbook.response import Channel, ChannelKind, Notified, Party
from runbook.response_guides import one_of, severities_of, severity
from runbook.yaml_table import Table, YamlError

KINDS: tuple[str, ...] = get_args(ChannelKind)

_ANSWERS: tuple[str, ...] = get_args(Notified)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LONGEST_VARIABLE = 64
_LONGEST_WORD = 19  # of a variable's name; keys of AWS and the like are one word of 20 and more
_SECRET_OPTION = re.compile(
    r"(^|[_-])(token|password|passwd|secret|webhook|credentials?|api_?key|routing_?key)$", re.IGNORECASE
)
_LOGIN = re.compile(r"://[^/]*@")


def parties(file: Table, levels: Collection[int]) -> tuple[Party, ...]:
    found = []
    for name, table in file.named():
        party = Party(id=name, name=table.text("name"), notified=_notified(table.table("notified"), levels))
        table.done()
        found.append(party)
    return tuple(found)


def _notified(table: Table, levels: Collection[int]) -> dict[int, Notified]:
    found: dict[int, Notified] = {}
    for key, answer in table.answers():
        if not key.isdecimal() or not key.isascii():
            raise table.fault(key, "expected the number of a severity")
        if answer not in _ANSWERS:
            raise table.wrong(key, f"one of {', '.join(_ANSWERS)}")
        found[severity(table, key, int(key), levels)] = cast(Notified, answer)
    return found


def channels(file: Table, levels: Collection[int], known: Collection[str]) -> tuple[Channel, ...]:
    """``known`` are the ids of the parties."""
    found = []
    for name, table in file.named():
        channel = Channel(
            id=name,
            name=table.text("name"),
            kind=cast(ChannelKind, table.choice("kind", None, KINDS)),
            env=_variables(table.table("env")),
            severities=severities_of(table, levels),
            parties=table.texts("parties"),
            options=_options(table.table("options")),
        )
        for party in channel.parties:
            one_of(table, "parties", party, known, "party")
        wrong = wrong_with(
            Delivered(id=name, name=channel.name, kind=channel.kind, env=channel.env, options=channel.options)
        )
        if wrong:
            raise table.fault("", wrong)
        table.done()
        found.append(channel)
    return tuple(found)


def _variables(table: Table) -> dict[str, str]:
    """What for → the variable's name."""
    found = {}
    for what, name in table.answers():
        if not _is_variable(name):
            raise _secret(
                table,
                what,
                "expected the name of an environment variable, like WARROOM_SLACK_URL, and never the secret",
            )
        found[what] = name
    return found


def _is_variable(name: str) -> bool:
    return (
        _VARIABLE.fullmatch(name) is not None
        and len(name) <= _LONGEST_VARIABLE
        and all(len(word) <= _LONGEST_WORD for word in name.split("_"))
    )


def _options(table: Table) -> dict[str, str]:
    found = {}
    for key, value in table.answers():
        if _SECRET_OPTION.search(key):
            raise _secret(table, key, "secrets are not options; name the environment variable that holds it under env")
        if _LOGIN.search(value):
            raise _secret(table, key, "a login in an address is a secret; name an environment variable under env")
        found[key] = value
    return found


def _secret(table: Table, key: str, what: str) -> YamlError:
    """An error that does not show the value."""
    return table.fault(key, f"{what} (what stands there is not shown)")
