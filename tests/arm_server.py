"""A small Azure Resource Manager on loopback: it answers what a test says, over real HTTP, and remembers the questions.

Bodies have the shapes of the official examples (Azure/azure-rest-api-specs, specification/monitor and
specification/sql). For a platform that lives, with databases that scale, see ``drill/azure``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

from aiohttp import web

from probes.azure.account import Account

SUBSCRIPTION = "089bd33f-d4ec-47fe-8ba5-0753aa5c5b33"
GROUP = "banking-platform-prod-rg"
TOKEN = "eyJ0.first.token"
ACTIVITY = "/providers/microsoft.insights/eventtypes/management/values"

Json = dict[str, Any]
Reply = Json | web.Response
Answer = Callable[[web.Request], Reply]


def refusal(status: int, code: str, message: str, **headers: str) -> web.Response:
    """An error as ARM words it; ``Retry_After="7"`` becomes a header."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=fields)


def forbidden(action: str, scope: str, client: str = "tech-lead@contoso.com") -> web.Response:
    return refusal(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '2468adf0-8211-44e3-95ab-85137af64708' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
    )


@dataclass
class ArmServer:
    """``answers`` by the end of the path (lower case), asked in turn when it is a list; ``skew`` is how far its clock
    is ahead; ``accepts`` are the tokens it takes.
    """

    answers: dict[str, Answer | Json | list[Reply]] = field(default_factory=dict)
    accepts: set[str] = field(default_factory=lambda: {TOKEN})
    asked: list[str] = field(default_factory=list)  # paths with their queries
    tokens: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    delay: float = 0.0
    skew: float = 0.0
    url: str = ""
    now: Callable[[], float] = time.time

    def count(self, part: str) -> int:
        return sum(part.lower() in path.lower() for path in self.asked)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.append(token)
        self.agents.append(request.headers.get("User-Agent", ""))
        if self.delay:
            await asyncio.sleep(self.delay)
        if token not in self.accepts:
            return refusal(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.")
        found = self._found(request)
        reply = found if isinstance(found, web.Response) else web.json_response(found)
        reply.headers["Date"] = formatdate(self.now() + self.skew, usegmt=True)
        return reply

    def _found(self, request: web.Request) -> Reply:
        path = request.path.lower()
        for end, answer in self.answers.items():
            if not path.endswith(end.lower()):
                continue
            if isinstance(answer, list):
                return answer.pop(0) if len(answer) > 1 else _again(answer[0])
            return answer if isinstance(answer, dict) else answer(request)
        return refusal(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")


def _again(reply: Reply) -> Reply:
    """An aiohttp response can be sent once only."""
    if isinstance(reply, web.Response):
        headers = {name: value for name, value in reply.headers.items() if name not in ("Content-Type", "Date")}
        return web.Response(body=reply.body, status=reply.status, headers=headers, content_type=reply.content_type)
    return reply


@asynccontextmanager
async def arm_server(**settings: Any) -> AsyncIterator[ArmServer]:
    server = ArmServer(**settings)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def put_token(directory: Path, token: str) -> None:
    """A new token in one step, as a kubelet projects it: whoever reads meanwhile finds the old one or the new one."""
    fresh = directory / "token.new"
    fresh.write_text(f"{token}\n")
    fresh.replace(directory / "token")


@asynccontextmanager
async def account(server: ArmServer, directory: Path, **settings: Any) -> AsyncIterator[Account]:
    """An account that asks this server with the token in ``directory/token``."""
    token = directory / "token"
    if not token.exists():
        put_token(directory, TOKEN)
    groups = settings.pop("groups", (GROUP,))
    opened = Account(SUBSCRIPTION, groups, endpoint=server.url, token_file=str(token), **settings)
    try:
        yield opened
    finally:
        await opened.close()


def utc(at: float) -> str:
    """As Azure writes instants: seven digits of a second."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at % 1 * 10_000_000):07d}Z"


def event(number: int, at: float, **fields: Any) -> Json:
    """An event of the activity log, as in GetActivityLogsFiltered.json and the portal's schema."""
    resource = fields.pop(
        "resource",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers/"
        "banking-platform-prod-sql/firewallRules/allow-aks-egress",
    )
    operation = fields.pop("operation", "Microsoft.Sql/servers/firewallRules/write")
    status, sub_status = fields.pop("status", "Succeeded"), fields.pop("sub_status", ("Created", 201))
    body: Json = {
        "authorization": {"action": operation, "role": "Subscription Admin", "scope": resource},
        "caller": "admin@contoso.com",
        "channels": "Operation",
        "claims": {"aud": "https://management.core.windows.net/", "name": "John Smith"},
        "correlationId": f"c-{number}",
        "description": "",
        "eventDataId": f"44ade6b4-3813-45e6-ae27-{number:012d}",
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "httpRequest": {"clientRequestId": "27003b25", "clientIpAddress": "192.168.35.115", "method": "PUT"},
        "id": f"{resource}/events/44ade6b4-3813-45e6-ae27-{number:012d}/ticks/635574752669792776",
        "level": "Informational",
        "resourceGroupName": GROUP,
        "resourceProviderName": {"value": "Microsoft.Sql", "localizedValue": "Microsoft SQL"},
        "resourceType": {"value": operation.rpartition("/")[0], "localizedValue": operation.rpartition("/")[0]},
        "resourceId": resource,
        "operationId": f"c-{number}",
        "operationName": {"value": operation, "localizedValue": "Update SQL server firewall rule"},
        "properties": {"statusCode": sub_status[0], "serviceRequestId": None},
        "status": {"value": status, "localizedValue": status},
        "subStatus": {
            "value": sub_status[0],
            "localizedValue": f"{sub_status[0]} (HTTP Status Code: {sub_status[1]})",
        },
        "eventTimestamp": utc(at),
        "submissionTimestamp": utc(at + 13),
        "subscriptionId": SUBSCRIPTION,
    }
    return body | fields


def since(query: Mapping[str, str]) -> float:
    """The instant from which a question about the activity log asks."""
    text = query["$filter"].split("'")[1]
    whole, _, fraction = text.removesuffix("Z").partition(".")
    import calendar

    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")
