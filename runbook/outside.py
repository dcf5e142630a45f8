"""What a console reaches besides its cluster, where the settings name it: an Azure account, a SQL server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from probes.azure.account import Account
    from runbook.sql_server import SqlServer


async def _nothing() -> None:
    return None


class Outside(NamedTuple):
    """``close`` gives back what the account holds open."""

    account: Account | None = None
    sql: SqlServer | None = None
    close: Callable[[], Awaitable[None]] = _nothing

    @property
    def places(self) -> frozenset[tuple[str, str]]:
        """(server, context) of the targets that may be acted on here."""
        found = set()
        if self.account is not None:
            found.add((self.account.server, self.account.subscription))
        if self.sql is not None:
            found.add((self.sql.address, self.sql.context))
        return frozenset(found)


NOWHERE = Outside()
