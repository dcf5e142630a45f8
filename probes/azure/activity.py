"""What was done to the groups' resources, and by whom: the activity log, asked again and again over a moving window.

A group is one question to the API, and so is what concerns the whole subscription (ServiceHealth). Each look begins
`OVERLAP` before the last complete one, by Azure's clock, because events arrive late; what is known is recognised by its
id. A look that breaks off goes on at the page where it did, so that a storm of refusals delays but loses nothing.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import AsyncGenerator
from typing import ClassVar

from msgspec import Struct

from probes.azure.account import MONITOR_ACTIVITY, MONITOR_CATEGORIES, RESOURCES_VERSION, Account, Trail, read_page
from probes.azure.activity_log import MOST, ActivityLog
from probes.azure.rows import Activity
from probes.azure.wire import filter_time
from probes.errors import BadAnswer, CredentialFailed, Forbidden, LoginExpired, NotFound, ProbeError
from probes.freshness import Snapshot
from probes.gathering import Gathering, Part

log = logging.getLogger(__name__)

OVERLAP = 20 * 60.0  # seconds; Azure has events in the log within 20 minutes of what they tell
FIRST_PAUSE = 2.0  # seconds until what failed is tried again; doubled with each failure
MOST_PAUSE = 300.0  # seconds between two looks, whatever goes wrong
LOGIN_PAUSE = 15.0  # seconds until a login is tried again
HEALTH_PACE = 5  # what concerns the whole subscription is asked this many times less often
HEALTH = "ServiceHealth"
MOST_INCIDENTS = 500
MOST_PAGES = 1000  # of one look; it is over earlier, when a page is all from before what is kept


class ActivityProbe:
    """Rows keyed by operation (`Activity.key`), of all groups together at most 10,000."""

    name: ClassVar[str] = "activity"

    def __init__(self, account: Account, interval: float = 30.0, window: float = 7200.0) -> None:
        self.account = account
        self.interval = interval
        self.window = window

    async def watch(self) -> AsyncGenerator[Snapshot[Activity], None]:
        """Yield LOADING, then a snapshot whenever something was logged or the standing changed. Never raises."""
        gathering: Gathering[Activity] = Gathering(self.name)
        share = (MOST - MOST_INCIDENTS) // max(len(self.account.groups), 1)
        logs = [_Log(self, gathering.part(), share, group) for group in self.account.groups]
        jobs = [functools.partial(self._follow, each) for each in logs]
        if logs:
            jobs.append(functools.partial(self._follow, _Log(self, logs[0].part, MOST_INCIDENTS, ""), HEALTH_PACE))
        async for snapshot in gathering.snapshots(jobs):
            yield snapshot

    async def _follow(self, group: _Log, pace: int = 1) -> None:
        failures = 0
        while True:
            pause, pages = self.interval * pace, group.pages
            try:
                await group.look()
                failures = 0
            except ProbeError as error:
                # Who gets on, page by page, is not slowed down by the failures in between.
                failures = 1 if group.pages > pages else failures + 1
                pause = pause_after(error, self.interval * pace, failures)
                group.failed(error)
            await asyncio.sleep(pause)


class _Log:
    """One question that is asked again and again: a group's events, or (with no group) the subscription's incidents,
    whose rows are shown with those of ``part`` and whose troubles are not its.
    """

    def __init__(self, probe: ActivityProbe, part: Part[Activity], most: int, group: str) -> None:
        self._account = probe.account
        self._window = probe.window
        self.part = part
        self._group = group
        # That filter is documented nowhere: were it ignored one day, all of the subscription would come.
        self._log = ActivityLog(part.put, part.drop, most, only="" if group else HEALTH)
        self._asked = f"the activity log of {group}" if group else "the service health of the subscription"
        self._complete_at: float | None = None  # Azure's time of the beginning of the last look that was complete
        self._look: _Look | None = None
        self.pages = 0  # taken so far
        self._group_known = False

    async def look(self) -> None:
        """Read what is new, all its pages. Raises `ProbeError`; the next call goes on where this one ended."""
        look = self._look or _Look(self._since(), Trail(self._asked, MOST_PAGES))
        resumed = self._look is not None and bool(look.link)
        self._look = look
        try:
            await self._read(look)
        except (BadAnswer, NotFound):
            # A link that is not taken any more, or a circle: from the beginning of the same window.
            self._look = None
            if not resumed:
                raise
            self._look = look = _Look(look.since, Trail(self._asked, MOST_PAGES))
            await self._read(look)
        self._look = None
        self._complete_at = look.began_at
        assert look.began_at is not None
        self._log.settle(look.began_at, look.began_at - OVERLAP)
        if self._group and not len(self._log) and not self._group_known:
            await self._check_group()
        if self._group:
            self.part.live()

    def failed(self, error: ProbeError) -> None:
        if self._group:
            self.part.failed(error)
        else:
            # Who may see a group only does not see what concerns the subscription: no trouble of the group's log.
            log.info("%s is not shown: %s", self._asked, error)

    async def _read(self, look: _Look) -> None:
        while True:
            path, query = (look.link, None) if look.link else (self._path, self._query(look.since))
            reply = await self._account.get(path, query, asked=self._asked, service="monitor")
            if look.began_at is None:
                look.began_at = reply.at
            page = read_page(reply, self._asked)
            newest = self._log.take(page.items, reply.at)
            self.pages += 1
            # Pages go back in time: one that is all from before what is kept is the last that is of use.
            if not page.next_link or (newest is not None and newest < self._log.forgotten_until):
                return
            look.trail.follow(page.next_link)
            look.link = page.next_link

    def _since(self) -> float:
        if self._complete_at is None:
            return time.time() - self._window
        return self._complete_at - OVERLAP

    @property
    def _path(self) -> str:
        # No upper end: were our clock behind, it would hide what is newest.
        return f"/subscriptions/{self._account.subscription}/providers/Microsoft.Insights/eventtypes/management/values"

    def _query(self, since: float) -> dict[str, str]:
        version, which = MONITOR_ACTIVITY, f"resourceGroupName eq '{self._group}'"
        if not self._group:
            version, which = MONITOR_CATEGORIES, f"categories eq '{HEALTH}'"
        return {"api-version": version, "$filter": f"eventTimestamp ge '{filter_time(since)}' and {which}"}

    async def _check_group(self) -> None:
        """A group that does not exist has an empty log, says Azure. Raises NotFound."""
        try:
            query = {"api-version": RESOURCES_VERSION}
            await self._account.get(self._account.group_id(self._group), query, asked=f"the group {self._group}")
        except NotFound:
            raise
        except ProbeError as error:
            log.info("whether the group %s exists is not known: %s", self._group, error)
        self._group_known = True


class _Look(Struct):
    """One look in progress: from when it reads, the page it has come to, and Azure's time when it began."""

    since: float
    trail: Trail
    link: str = ""
    began_at: float | None = None


def pause_after(error: ProbeError, interval: float, failures: int) -> float:
    """Seconds until it is tried again: what Azure asks for, soon for a login, else longer each time."""
    if error.retry_after is not None:
        return min(max(error.retry_after, 0.05), MOST_PAUSE)
    if isinstance(error, LoginExpired | CredentialFailed):
        return min(interval, LOGIN_PAUSE)
    longer: float = min(interval, FIRST_PAUSE) * min(2 ** (failures - 1), 1024)
    # A role that somebody is just being given is seen soon.
    most = 2 * LOGIN_PAUSE if isinstance(error, Forbidden | NotFound) else MOST_PAUSE
    return min(longer * random.uniform(0.8, 1.2), most)  # noqa: S311  # consoles must not ask in step
