"""Azure alone, without a cluster: the embedded endpoint on loopback, and the real SDK's clients in front of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from azure.core.credentials import AccessToken
from azure.mgmt.monitor.aio import MonitorManagementClient
from azure.mgmt.sql.aio import SqlManagementClient

from drill.azure.estate import Estate
from drill.azure.part import Azure, of
from drill.azure.server import ArmServer
from drill.clock import Clock

Json = dict[str, Any]

GROUP = "banking-platform-prod-rg"
SERVER = "banking-platform-prod-sql"
ACCOUNTS = "BankingAccountsDb"
REPORTS = "BankingReportsDb"
PLAIN: dict[str, Any] = {"enforce_https": False}
"""What every call needs, because a token goes over plain HTTP on loopback only."""

PART = of(
    {
        "subscription": "3f1c6a52-8b0d-4e57-9a41-6c2d7e90b318",
        "group": GROUP,
        "server": SERVER,
        "databases": [
            {
                "name": ACCOUNTS,
                "objective": "S3",
                "used_gb": 118.4,
                "demand": 55,
                "swing": 5,
                "replicas": [{"server": "banking-platform-dr-sql"}],
                "surges": [{"at": "-25m", "demand": 10, "workers": 20}],
                "blockers": [
                    {
                        "session": 87,
                        "at": "-25m",
                        "login": "svc-migrator",
                        "host": "migrate-0041",
                        "program": "Banking.Migrations",
                        "statement": "UPDATE dbo.Entries SET CounterpartyId = a.Id FROM dbo.Accounts AS a",
                        "waiting": "SELECT Balance FROM dbo.Accounts WHERE Id = @id",
                        "blocks": 14,
                        "demand": 105,
                        "workers": 60,
                    }
                ],
            },
            {"name": REPORTS, "objective": "GP_Gen5_2", "demand": 0.5, "swing": 0.1, "zone_redundant": True},
        ],
        "alerts": [
            {"name": "dtu-high", "database": ACCOUNTS, "metric": "dtu_consumption_percent", "threshold": 90},
            {"name": "cpu-high", "database": REPORTS, "metric": "cpu_percent", "threshold": 90},
        ],
        "activity": [
            {
                "at": "-27m",
                "operation": "Microsoft.Sql/servers/firewallRules/write",
                "text": "Update SQL server firewall rule",
                "resource": f"Microsoft.Sql/servers/{SERVER}/firewallRules/ci-migrate-0041",
                "caller": "ci-deploy@banking-platform.com",
                "takes": "40s",
            },
            {
                "at": "-50m",
                "operation": "Microsoft.ServiceHealth/maintenance/action",
                "text": "Planned maintenance",
                "resource": "Microsoft.ServiceHealth/events/9XK2-1",
                "caller": "Azure",
                "category": "ServiceHealth",
                "status": "Active",
            },
        ],
    }
)
"""A database at its limit for 25 minutes, one that is well, and a firewall rule that was changed."""


class StaticCredential:
    """A bearer token that is what it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> StaticCredential:
        return self

    async def __aexit__(self, *args: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Desk:
    """The endpoint, the SDK's clients, and a way to ask without them."""

    arm: ArmServer
    sql: Any  # what the SDK's models may lack is no concern of a test that says what is there
    monitor: Any
    session: aiohttp.ClientSession

    @property
    def estate(self) -> Estate:
        return self.arm.estate

    def database_id(self, name: str = ACCOUNTS) -> str:
        return f"{self.estate.server_id}/databases/{name}"

    def advance(self, seconds: float) -> None:
        """Let so much time of the world pass, at once. Only on a clock that stands."""
        clock = self.estate.clock
        clock.advance(clock.now + seconds)

    async def ask(
        self, path: str, method: str = "GET", body: Json | None = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Json]:
        """Status and body of one request that carries the token and a version unless told otherwise."""
        url = path if path.startswith("http") else self.arm.url + path
        if "api-version" not in url:
            url += ("&" if "?" in url else "?") + "api-version=2025-01-01"
        sent = {"Authorization": f"Bearer {self.arm.token}", **(headers or {})}
        async with self.session.request(method, url, json=body, headers=sent) as answer:
            return answer.status, (await answer.json() if answer.content_length else {})


@asynccontextmanager
async def azure(part: Azure = PART, *, live: bool = False, speed: float = 60.0) -> AsyncIterator[Desk]:
    """The endpoint, serving ``part``; it is gone afterwards. Its clock stands unless it is ``live``."""
    now = time.time()
    clock = Clock(now, speed=speed)
    arm = ArmServer(Estate(part, clock, now))
    if live:
        clock.go_live()
    await arm.start()
    common: dict[str, Any] = {
        "base_url": arm.url,
        "credential_scopes": [f"{arm.url}/.default"],
        "retry_total": 0,
        "polling_interval": 1,
    }
    credential: Any = StaticCredential(arm.token)
    try:
        async with (
            SqlManagementClient(credential, part.subscription, **common) as sql,
            MonitorManagementClient(credential, part.subscription, **common) as monitor,
            aiohttp.ClientSession() as session,
        ):
            yield Desk(arm, sql, monitor, session)
    finally:
        await arm.stop()
        clock.stop()
