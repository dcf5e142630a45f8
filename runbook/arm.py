"""Azure Resource Manager as a plan reads it: single objects, fresh, as JSON.

The panes' probes keep what they saw in rows; a plan wants the object of this moment, whole, and a verdict wants it
again and again. Writing is `runbook.azure_hands`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from probes.errors import BadAnswer

if TYPE_CHECKING:
    from probes.azure.account import Account, Reply

Json = dict[str, Any]


class Arm:
    """Reads for one account. ``asked`` names what was asked for in errors: "database Accounts"."""

    def __init__(self, account: Account) -> None:
        self.account = account

    @property
    def server(self) -> str:
        return self.account.server

    @property
    def subscription(self) -> str:
        return self.account.subscription

    def path(self, *segments: str) -> str:
        """A path below the subscription, each segment quoted: ``path("resourceGroups", "prod rg")``."""
        return "/".join(["/subscriptions", self.subscription, *(quote(part, safe="") for part in segments)])

    async def get(self, path: str, api: str, asked: str) -> Json:
        """The JSON object at ``path``, which is quoted already. Raises `ProbeError`."""
        return _decoded(await self.account.get(path, {"api-version": api}, asked=asked), asked)

    async def operation(self, address: str) -> Json:
        """The state of a long-running operation at the address that Azure gave for it.

        Raises `ProbeError`; `BadAnswer` if it leads elsewhere: a token goes to the account's own endpoint only.
        """
        asked = "the operation"
        return _decoded(await self.account.get(address, asked=asked), asked)

    async def values(self, path: str, api: str, asked: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """All items of a list, its pages followed. Raises `ProbeError`."""
        found: list[Json] = []
        async for page in self.account.pages(path, {"api-version": api, **(query or {})}, asked=asked):
            for item in page.items:
                try:
                    found.append(msgspec.json.decode(item, type=Json))
                except (msgspec.DecodeError, RecursionError):
                    raise BadAnswer(f"Azure's answer to {asked} has an item that is not a JSON object") from None
        return found


def _decoded(reply: Reply, asked: str) -> Json:
    try:
        return msgspec.json.decode(reply.body, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(f"Azure's answer to {asked} is not a JSON object") from None
