"""What ``warroom doctor`` says about each mitigation: served, allowed, which program, and what to do about it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from probes.access import can_i
from probes.errors import NotFound, ProbeError
from tui.check import Check, Level

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from runbook.mitigation import Mitigation
    from runbook.plan import Need

AT_ONCE = 8  # questions under way at a time
FEW = 3  # refusals that are named one by one

ROLE = "ask for a role like docs/rbac/responder.yaml"


async def check(
    table: Mapping[str, Mitigation],
    cluster: Cluster,
    namespaces: Sequence[str],
    programs: Mapping[str, Check],
    *,
    read_only: bool,
) -> list[Check]:
    """A line for each mitigation.

    ``namespaces`` empty: all. ``programs`` are those that were asked for their version, by name.
    """
    needs = {
        name: list(dict.fromkeys(need for namespace in namespaces or ("",) for need in each.permissions(namespace)))
        for name, each in table.items()
    }
    every = {need for some in needs.values() for need in some}
    try:
        absent, denied = await asyncio.gather(_absent(cluster, every), _denied(cluster, every))
    except ProbeError as error:
        found = f"the server does not say what is allowed: {error}"
        return [Check("mitigations", Level.WARN, found, error.hint or "each plan will say it again")]
    return [_one(each, needs[name], absent, denied, programs, read_only=read_only) for name, each in table.items()]


def _one(
    mitigation: Mitigation,
    needs: Sequence[Need],
    absent: Collection[str],
    denied: Collection[Need],
    programs: Mapping[str, Check],
    *,
    read_only: bool,
) -> Check:
    permission, advice = _allowed(needs, absent, denied)
    level, said = Level.WARN if advice else Level.OK, [permission]
    for program in mitigation.programs:
        there = programs.get(program) or _on_path(program)
        said.append(there.found)
        if there.level is not Level.OK:
            level, advice = Level.WARN, [*advice, there.advice]
    if read_only and not mitigation.harmless:
        said.append("this console is read-only")
    return Check(mitigation.id, level, f"{mitigation.key} {'; '.join(said)}", "; ".join(advice))


def _allowed(needs: Sequence[Need], absent: Collection[str], denied: Collection[Need]) -> tuple[str, list[str]]:
    """In words, and what to do about it: nothing if it is allowed."""
    groups = [group for group in dict.fromkeys(need.group for need in needs) if group in absent]
    if groups:
        said = f"the server does not serve {', '.join(groups)}: there is nothing to act on"
        return said, [f"kubectl api-resources --api-group={groups[0]}"]
    refused = [need for need in needs if need in denied]
    if refused:
        return f"not allowed to {_named(refused)}", [ROLE, _question(refused[0])]
    if not needs:
        return "what it needs to be allowed cannot be foreseen", []
    return f"allowed ({'1 permission' if len(needs) == 1 else f'{len(needs)} permissions'})", []


def _named(needs: Sequence[Need]) -> str:
    """The first of them, the namespace once where they share it."""
    namespaces = {need.namespace for need in needs}
    shared = f" in namespace {needs[0].namespace}" if len(namespaces) == 1 and needs[0].namespace else ""
    first = ", ".join(str(need).removesuffix(shared) for need in needs[:FEW])
    return first + (f" and {len(needs) - FEW} more" if len(needs) > FEW else "") + shared


def _question(need: Need) -> str:
    """How kubectl asks for it."""
    resource = f"{need.resource}.{need.group}" if need.group else need.resource
    sub = f" --subresource={need.subresource}" if need.subresource else ""
    return f"kubectl auth can-i {need.verb} {resource}{sub}" + (f" -n {need.namespace}" if need.namespace else "")


def _on_path(program: str) -> Check:
    found = shutil.which(program)
    if found is None:
        return Check(
            program, Level.WARN, f"{program} is not there", "install it, or name it by its path in the runbook file"
        )
    return Check(program, Level.OK, found)


async def _denied(cluster: Cluster, needs: Iterable[Need]) -> set[Need]:
    """Those that the server would refuse. Raises `ProbeError`."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(need: Need) -> bool:
        async with gate:
            answer = await can_i(cluster, need.verb, need.resource, need.group, need.namespace, need.subresource)
            return bool(answer)

    asked = list(needs)
    answers = await asyncio.gather(*map(ask, asked))
    return {need for need, allowed in zip(asked, answers, strict=True) if not allowed}


async def _absent(cluster: Cluster, needs: Iterable[Need]) -> set[str]:
    """The API groups among them that the server does not serve. One that cannot be looked at counts as served."""
    groups = sorted({need.group for need in needs if need.group})

    async def there(group: str) -> bool:
        try:
            await cluster.get(f"/apis/{group}")
        except NotFound:
            return False
        except ProbeError:
            return True
        return True

    answers = await asyncio.gather(*map(there, groups))
    return {group for group, served in zip(groups, answers, strict=True) if not served}
