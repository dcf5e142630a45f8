"""A desk to mitigate databases from: the embedded platform with a part in Azure, and the gate on both.

    async with database_desk() as at:
        act = await at.desk.confirm(await at.restoring())

``at.writes`` are the requests that asked Azure to change something, in the order in which they came.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from drill.azure import part
from drill.azure.database import Database
from drill.azure.server import ArmServer
from drill.observing import Request
from drill.platform import Running
from incident.entry import Entry
from probes.azure.account import Account
from runbook.gate import Gate
from runbook.mitigation import Mitigation
from runbook.mitigations import TABLE
from runbook.outside import Outside
from runbook.plan import Aim, Outcome, Plan
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import Desk, desk
from tests.drill.small_scenario import SMALL

SUBSCRIPTION = "0f3c7a52-6c1e-4b7a-9a52-2f4f5d1c9a11"
GROUP, SERVER, ACCOUNTS = "banking-platform-prod-rg", "banking-platform-prod-sql", "BankingAccountsDb"

ESTATE = part.of(
    {
        "subscription": SUBSCRIPTION,
        "group": GROUP,
        "server": SERVER,
        "scaling": "60s",
        "restoring": "90s",
        "databases": [
            {"name": ACCOUNTS, "objective": "S3", "max_gb": 250},
            {"name": "BankingLedgerDb", "objective": "GP_Gen5_4", "max_gb": 500, "used_gb": 100.0},
        ],
    }
)
PLACE = replace(SMALL, azure=ESTATE)
"""The small cluster with two databases beside it."""

BEGAN = 600.0  # seconds ago, the incident began


@dataclass
class DatabaseDesk:
    """``desk`` is the one that everything else is done from; ``began`` is when the incident did."""

    desk: Desk
    requests: list[Request]
    began: float

    @property
    def arm(self) -> ArmServer:
        found = self.desk.running.platform.arm
        assert found is not None
        return found

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.writes]

    def database(self, name: str = ACCOUNTS) -> Database:
        return self.arm.estate.database(name)

    async def plan(self, mitigation: str, database: str = ACCOUNTS, /, **choices: str) -> Plan:
        return await self.desk.gate.plan(mitigation, aim_at(database), choices)

    async def restoring(self, **choices: str) -> Plan:
        """The plan of a restore with what it proposes, said twice."""
        first = await self.plan("restore-database", **choices)
        return await self.plan("restore-database", **{**first.choices, "again": first.choices["point"]})

    async def resumed(self, table: Mapping[str, Mitigation] = TABLE) -> Outcome:
        """What the console after a crash makes of the only intent there is."""
        again = outside_of(self.desk.running)
        gate = Gate(
            self.desk.cluster,
            self.desk.book,
            table,
            Playbook(quiet_for=0.2),
            latest=lambda: self.desk.latest,
            production=lambda namespace: True,
            outside=again,
        )
        (entry,) = self.desk.book.intents
        (act,) = gate.resume([of_a_dead_console(entry)])
        outcome = await self.desk.ended(act)
        await again.close()
        return outcome


def aim_at(name: str) -> Aim:
    """What the row of a database means."""
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers/{SERVER}"
    uid = f"{place}/databases/{name}".lower()
    return Aim(kind="SqlDatabase", namespace=f"{GROUP}/{SERVER}", name=name, uid=uid)


def outside_of(running: Running) -> Outside:
    """The account that the platform's own settings describe."""
    arm = running.platform.arm
    assert arm is not None
    token = running.kubeconfig.parent / "azure-token"
    account = Account(SUBSCRIPTION, [GROUP], endpoint=arm.url, token_file=str(token))
    return Outside(account=account, close=account.close)


def of_a_dead_console(entry: Entry) -> Entry:
    """The entry as if a process that has ended had written it."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    evidence: dict[str, Any] = dict(entry.evidence or {})
    evidence["act"] = {**evidence["act"], "pid": ended.pid}
    return replace(entry, evidence=evidence)


@asynccontextmanager
async def database_desk(*, speed: float = 120.0, **settings: Any) -> AsyncIterator[DatabaseDesk]:
    """``speed``: Azure's operations take a minute or two of the platform's time."""
    began = time.time() - BEGAN
    async with desk(scenario=PLACE, speed=speed, outside=outside_of, began=lambda: began, **settings) as at:
        requests: list[Request] = []
        assert at.running.platform.arm is not None
        at.running.platform.arm.observers.append(requests.append)
        yield DatabaseDesk(at, requests, began)
