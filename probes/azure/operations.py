"""One database and what is being done to it, read fresh: for a verdict, which must not lean on a pane's last look."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from probes.azure import database_rows as rows
from probes.azure.account import SQL_VERSION, Account
from probes.azure.refusals import Error, retry_after
from probes.azure.rows import Database, DatabaseOperation
from probes.errors import BadAnswer, NotFound


class LongRunning(Struct, frozen=True, kw_only=True):
    """A long-running operation by its own address (``Azure-AsyncOperation``).

    ``state`` is Azure's: InProgress, Succeeded, Failed, Canceled; ``wait`` the seconds until the next question.
    """

    state: str
    percent: float | None
    error: str
    wait: float | None

    @property
    def ended(self) -> bool:
        return self.state in ("Succeeded", "Failed", "Canceled", "Cancelled")


class _LongRunning(Struct, rename="camel"):
    status: str | None = ""
    percent_complete: float | None = None
    error: Error | None = None


async def read_database(account: Account, resource_id: str) -> Database | None:
    """The database of this moment without its metrics; None if there is none (any more). Raises `ProbeError`."""
    name = resource_id.rpartition("/")[2]
    try:
        reply = await account.get(quote(resource_id), {"api-version": SQL_VERSION}, asked=f"the database {name}")
    except NotFound as error:
        if "ResourceGroup" in str(error) or "azure." in str(error):
            raise
        return None
    try:
        found = rows.decode_database.decode(reply.body)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"Azure's answer to the database {name} cannot be read: {error}") from None
    server = resource_id.split("/servers/", 1)[-1].partition("/")[0]
    row = rows.database(found, server, "")
    return replace(row, health=rows.health(row))


async def read_operations(account: Account, resource_id: str) -> tuple[DatabaseOperation, ...]:
    """The database's management operations, the newest first. Raises `ProbeError`."""
    name = resource_id.rpartition("/")[2]
    found = []
    path = f"{quote(resource_id)}/operations"
    async for page in account.pages(path, {"api-version": SQL_VERSION}, asked=f"the operations of {name}"):
        for item in page.items:
            try:
                found.append(rows.decode_operation.decode(item))
            except msgspec.DecodeError as error:
                raise BadAnswer(f"Azure's answer to the operations of {name} cannot be read: {error}") from None
    return rows.operations(found)


async def follow(account: Account, address: str) -> LongRunning:
    """How a long-running operation stands, by the address that its start was answered with. Raises `ProbeError`."""
    reply = await account.get(address, asked="the operation")
    try:
        found = msgspec.json.decode(reply.body, type=_LongRunning)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"Azure's answer to the operation cannot be read: {error}") from None
    told = ": ".join(filter(None, (found.error.code, found.error.message))) if found.error else ""
    return LongRunning(
        state=found.status or "",
        percent=found.percent_complete,
        error=" ".join(told[:2000].split())[:500],
        wait=retry_after(reply.headers),
    )
