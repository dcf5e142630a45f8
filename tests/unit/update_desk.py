"""A console's updates without its screens: a real store and journal, a runbook made by hand, a clock to be moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from incident.channels.deliver import Patience
from incident.entry import Draft, Entry, Kind
from runbook.response import Channel, Party, Response, Role, SeverityLevel
from tui.journal import Journal
from tui.update_sending import Sending
from tui.updates import Updates

START = 1_800_000_000_000
MINUTE = 60_000
QUICK = Patience(limit=10.0, pause=0.001)

LEVELS = tuple(
    SeverityLevel(level=level, name=name, headline="", definition="", update_every=every)
    for level, name, every in ((1, "Critical", 900), (2, "High", 1800), (3, "Medium", 3600), (4, "Low", 86_400))
)
PARTIES = (
    Party(id="cto", name="CTO", notified={1: "yes", 2: "yes", 3: "yes", 4: "no"}),
    Party(id="legal", name="Legal", notified={1: "yes", 2: "no"}),
    Party(id="customers", name="Customers", notified={1: "yes", 2: "judge"}),
)
TEMPLATE = (
    "INCIDENT UPDATE - {{ incident_id }}\nSeverity: {{ severity }}\nStatus: {{ status }}\n"
    "Impact: {{ impact or 'under assessment' }}\nNext Update: {{ next_update or 'none' }}\n"
    "IC: {{ ic or 'nobody yet' }}\n"
    "{% for one in since %}\n- {{ one }}\n{% endfor %}\n"
)


def response(*channels: Channel, templates: Mapping[str, str] | None = None) -> Response:
    """A runbook with these channels."""
    return Response(
        name="bank",
        severities=LEVELS,
        parties=PARTIES,
        roles=(Role(id="ic", name="Incident Commander", short="IC"),),
        channels=channels,
        templates={"status-update": TEMPLATE} if templates is None else dict(templates),
    )


def slack(name: str = "slack", **more: object) -> Channel:
    """A Slack channel of every severity, whose URL is in the variable of its name."""
    fields = {"id": name, "name": f"Slack {name}", "kind": "slack", "env": {"url": f"OPS_{name.upper()}"}}
    return Channel(**(fields | {"severities": (1, 2, 3, 4)} | more))  # type: ignore[arg-type]


class Office:
    """What `tui.updates.Desk` asks for."""

    def __init__(
        self, path: Path, runbook: Response, environment: Mapping[str, str], patience: Patience, *, drill: bool = False
    ) -> None:
        self.at = START
        self.response: Response | None = runbook
        self.said: list[str] = []
        self.changes = asyncio.Event()
        self.journal = Journal(path, "ops", drill=drill, clock=lambda: self.at, changed=self._heard)
        self.updates = Updates(self, environment, self.changes.set, patience=patience)

    def now(self) -> float:
        return self.at / 1000

    def tell(self, text: str, severity: str = "", timeout: float = 0.0) -> None:
        self.said.append(text)

    async def _heard(self, touched: set[str] | None) -> None:
        self.updates.hear(touched)

    async def entries(self, *kinds: Kind) -> list[Entry]:
        incident = self.journal.incident
        assert incident is not None
        return await self.journal.of_kinds(incident.id, kinds)

    async def severity(self, level: int) -> None:
        """Somebody classifies the incident, maybe in another console."""
        incident, store = self.journal.incident, self.journal._opened()
        assert incident is not None
        await store.set_severity(incident.id, level, "ops")
        await self.until(lambda: self.journal.incident is not None and self.journal.incident.severity == level)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.changes.clear()
                waiting = asyncio.ensure_future(self.changes.wait())
                await asyncio.wait({waiting}, timeout=0.02)
                waiting.cancel()

    async def recorded(self, sending: Sending) -> None:
        """Wait until every outcome of it is on the record."""
        await self.until(lambda: sending.finished and not any(outcome.draft for outcome in sending.outcomes))

    async def ticks(self, count: int = 5) -> None:
        for _ in range(count):
            self.updates.tick(self.now())
            await asyncio.sleep(0)


@asynccontextmanager
async def office(
    path: Path,
    runbook: Response,
    environment: Mapping[str, str] | None = None,
    *,
    severity: int | None = 1,
    patience: Patience = QUICK,
    drill: bool = False,
) -> AsyncIterator[Office]:
    """One console; it declares an incident unless the store has an open one."""
    desk = Office(path, runbook, environment or {}, patience, drill=drill)
    await desk.journal.open()
    if desk.journal.incident is None:
        await desk.journal.declare("Payments failing", severity, cluster="aks-prod", namespace="bank")
    following = asyncio.create_task(desk.journal.follow())
    desk.updates.hear(None)
    await desk.until(lambda: desk.updates.countdown(desk.now()) is not None)
    try:
        yield desk
    finally:
        await desk.updates.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await desk.journal.close()


def note(text: str, **fields: object) -> Draft:
    return replace(Draft(text=text, author="ops"), **fields)


def texts(entries: Sequence[Entry]) -> list[str]:
    return [entry.text for entry in entries]
