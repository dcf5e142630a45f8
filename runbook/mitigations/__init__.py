"""The mitigations of the table in `runbook.known`, each imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from runbook.known import MITIGATIONS, Known
from runbook.mitigation import Mitigation

if TYPE_CHECKING:
    from runbook.playbook import Playbook


class _Table(Mapping[str, Mitigation]):
    """The table as it stands, by id; a mitigation is made once."""

    def __init__(self) -> None:
        self._made: dict[Known, Mitigation] = {}

    def __getitem__(self, name: str) -> Mitigation:
        known = MITIGATIONS[name]
        if known not in self._made:
            self._made[known] = _made(name, known)
        return self._made[known]

    def __iter__(self) -> Iterator[str]:
        return iter(MITIGATIONS)

    def __len__(self) -> int:
        return len(MITIGATIONS)


TABLE: Mapping[str, Mitigation] = _Table()


def table_of(playbook: Playbook) -> dict[str, Mitigation]:
    """The table with the commands that the runbook file adds, which its loader has kept apart from these."""
    from runbook.mitigations.command import commands_of

    return {**TABLE, **{command.id: command for command in commands_of(playbook)}}


def _made(name: str, known: Known) -> Mitigation:
    module, _, own = known.where.partition(":")
    kind = getattr(import_module(module), own)
    if not (isinstance(kind, type) and issubclass(kind, Mitigation)):
        raise TypeError(f"{known.where} is not a mitigation")
    return kind(name, known.key, known.fields)
