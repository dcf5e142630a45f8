"""``python -m bench.azure_platform``: the payment drill with 50 databases and 10,000 operations in its activity log."""

from __future__ import annotations

import asyncio
import sys

from msgspec.structs import replace

from drill import scenario
from drill.azure.part import Activity, SqlDatabase
from drill.platform import running
from drill.serve import announcement

DATABASES, OPERATIONS = 50, 10_000
WINDOW = 7_000.0  # seconds; all of it is in the console's first look

_KINDS = (  # provider and type, operation, words
    (
        "Microsoft.Sql/servers/banking-platform-prod-sql/firewallRules",
        "Microsoft.Sql/servers/firewallRules/write",
        "Rule",
    ),
    ("Microsoft.Compute/virtualMachineScaleSets", "Microsoft.Compute/virtualMachineScaleSets/write", "Scale set"),
    ("Microsoft.Storage/storageAccounts", "Microsoft.Storage/storageAccounts/listKeys/action", "List keys"),
)


def _activity(number: int) -> Activity:
    kind, operation, text = _KINDS[number % len(_KINDS)]
    return Activity(
        at=f"-{60 + WINDOW * number / OPERATIONS:.0f}s",
        operation=operation,
        text=text,
        resource=f"{kind}/bench-{number % 700}",
        caller=f"engineer-{number % 40}@banking-platform.com",
        status="Failed" if number % 97 == 0 else "Succeeded",
    )


async def serve() -> None:
    loaded = scenario.load("payment-release")
    assert loaded.azure is not None
    more = tuple(
        SqlDatabase(name=f"Bench{number:02}", objective="S3", demand=10.0 + number, swing=5.0)
        for number in range(DATABASES - len(loaded.azure.databases))
    )
    azure = replace(
        loaded.azure,
        databases=(*loaded.azure.databases, *more),
        activity=tuple(_activity(number) for number in range(OPERATIONS)),
    )
    async with running(replace(loaded, azure=azure)) as platform:
        print(announcement(platform), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
