"""The metric alerts that are fired now: the groups' rules, and the status of each.

Azure has no question for "all that are fired" that a reader of a group may ask, so it is one for each rule that is
enabled. More than `MANY` rules are asked less often, so that the reads in an hour stay bounded.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator
from typing import ClassVar, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from probes.azure import wire
from probes.azure.account import MONITOR_ALERTS, Account
from probes.azure.activity import pause_after
from probes.azure.resources import names_of
from probes.azure.rows import FiredAlert
from probes.errors import CredentialFailed, LoginExpired, ProbeError
from probes.freshness import Snapshot
from probes.gathering import Gathering, Part
from probes.rows import Health

log = logging.getLogger(__name__)

SELDOM = 5  # looks after which the rules themselves are asked for again
MANY = 30  # rules that are asked about in one interval
MOST = 200  # rules of a group that are asked about at all
AT_ONCE = 4

ItemT = TypeVar("ItemT")


class AlertsProbe:
    """Rows keyed by the rule's resource id in lower case, and what it is fired for where there are several."""

    name: ClassVar[str] = "alerts"

    def __init__(self, account: Account, interval: float = 60.0) -> None:
        self.account = account
        self.interval = interval

    async def watch(self) -> AsyncGenerator[Snapshot[FiredAlert], None]:
        """Yield LOADING, then a snapshot whenever an alert was fired or ended. Never raises."""
        gathering: Gathering[FiredAlert] = Gathering(self.name)
        groups = [_Group(self.account, gathering.part(), group) for group in self.account.groups]
        jobs = [functools.partial(self._follow, group) for group in groups]
        async for snapshot in gathering.snapshots(jobs):
            yield snapshot

    async def _follow(self, group: _Group) -> None:
        failures = 0
        while True:
            try:
                await group.look()
                failures, pause = 0, self.interval * max(1.0, len(group.rules) / MANY)
            except ProbeError as error:
                failures += 1
                pause = pause_after(error, self.interval, failures)
                group.part.failed(error)
            await asyncio.sleep(pause)


class _Group:
    """One resource group's rules."""

    def __init__(self, account: Account, part: Part[FiredAlert], group: str) -> None:
        self.part = part
        self.rules: list[wire.Rule] = []
        self._account = account
        self._group = group
        self._looks = 0
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._fired: dict[str, dict[str, FiredAlert]] = {}  # rule → its rows

    async def look(self) -> None:
        """Ask for the status of every rule. Raises `ProbeError` when none of them could be had."""
        if self._looks % SELDOM == 0:
            await self._list_rules()
        answers = await asyncio.gather(*map(self._ask, self.rules))
        errors = [error for error in answers if error is not None]
        ended = next((error for error in errors if isinstance(error, LoginExpired | CredentialFailed)), None)
        if ended is not None or (errors and len(errors) == len(self.rules)):
            raise ended or errors[0]
        self._looks += 1
        self.part.listed({key: row for rows in self._fired.values() for key, row in rows.items()}, {})
        if errors:
            # What was fired of those rules stays; that they are not seen is told, not that all is well.
            self.part.failed(ProbeError(f"{len(errors)} of {len(self.rules)} alert rules: {errors[0]}", errors[0].hint))
        else:
            self.part.live()

    async def _list_rules(self) -> None:
        path = f"{self._account.group_id(self._group)}/providers/Microsoft.Insights/metricAlerts"
        rules = await self._items(path, _rules, f"the alert rules of {self._group}")
        enabled = [rule for rule in rules if _name(rule) and rule.properties and rule.properties.enabled is not False]
        if len(enabled) > MOST:
            log.warning("%s has %d alert rules, the first %d are asked about", self._group, len(enabled), MOST)
        self.rules = enabled[:MOST]
        names = {_name(rule).lower() for rule in self.rules}
        self._fired = {name: rows for name, rows in self._fired.items() if name in names}

    async def _ask(self, rule: wire.Rule) -> ProbeError | None:
        """The rule's rows are brought up to date; returns why they are not."""
        name = _name(rule)
        path = f"{self._account.group_id(self._group)}/providers/Microsoft.Insights/metricAlerts/{quote(name)}/status"
        async with self._gate:
            try:
                statuses = await self._items(path, _statuses, f"the alert {name}")
            except ProbeError as error:
                return error
        before = self._fired.get(name.lower(), {})
        rows = {row.key: row for row in (_row(rule, status) for status in statuses if _is_fired(status))}
        # A status says when it was looked at last, which moves on every minute: it is fired since it was first seen so.
        self._fired[name.lower()] = {
            key: replace(row, at=before[key].at) if key in before else row for key, row in rows.items()
        }
        return None

    async def _items(self, path: str, decoder: msgspec.json.Decoder[ItemT], asked: str) -> list[ItemT]:
        found: list[ItemT] = []
        query = {"api-version": MONITOR_ALERTS}
        async for page in self._account.pages(path, query, asked=asked, service="monitor"):
            for item in page.items:
                try:
                    found.append(decoder.decode(item))
                except (msgspec.DecodeError, RecursionError) as error:
                    log.warning("cannot read one of %s: %s", asked, error)
        return found


def _name(rule: wire.Rule) -> str:
    """The official example has no name but the one in the id."""
    return rule.name or (rule.id or "").rstrip("/").rpartition("/")[2]


def _is_fired(status: wire.AlertStatus) -> bool:
    return bool(status.properties and status.properties.status and status.properties.status.lower() != "healthy")


def _row(rule: wire.Rule, status: wire.AlertStatus) -> FiredAlert:
    properties = rule.properties or wire.RuleProperties()
    found = status.properties or wire.AlertStatusProperties()
    dimensions = {name: value or "" for name, value in (found.dimensions or {}).items()}
    resource = dimensions.pop("resourceId", "") or next(iter(properties.scopes or ()), "")
    told = ", ".join(f"{name} {value}" for name, value in sorted(dimensions.items()))
    severity = properties.severity
    return FiredAlert(
        key=f"{rule.id or _name(rule)} {resource} {told}".rstrip().lower(),
        rule=_name(rule),
        severity=severity,
        state=found.status or "",
        target=" ".join(filter(None, (names_of(resource) if resource else "", told))),
        at=wire.instant(found.timestamp),
        description=" ".join((properties.description or "")[:2000].split())[:500],
        health=Health.FAILING if severity is not None and severity <= 1 else Health.DEGRADED,
    )


_rules = msgspec.json.Decoder(wire.Rule)
_statuses = msgspec.json.Decoder(wire.AlertStatus)
