"""Channels of every kind to a server on loopback, with their environment, and what such a server answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident.channels.deliver import Patience, deliver
from incident.channels.message import Channel, Delivery, Message
from tests.unit.channel_servers import MESSAGE, TOKEN, Receiver

QUICK = Patience(limit=10.0, pause=0.001)
IMPATIENT = Patience(limit=0.15, pause=0.001)
INCIDENT = MESSAGE.incident


def channel(kind: str, *env: str, **options: str) -> Channel:
    """A channel whose environment variables are called OPS_ and what they are for."""
    names = {purpose: f"OPS_{purpose.upper()}" for purpose in env}
    return Channel(id=kind, name=kind, kind=kind, env=names, options=options)


def environment(**values: str) -> dict[str, str]:
    return {f"OPS_{purpose.upper()}": value for purpose, value in values.items()}


def desk(kind: str, server: str) -> tuple[Channel, dict[str, str]]:
    """A channel of this kind to that server, and the environment with its secret in it."""
    if kind in ("slack", "teams", "webhook"):
        return channel(kind, "url"), environment(url=f"{server}/services/T0/{TOKEN}")
    if kind == "apprise":
        return channel(kind, "url"), environment(url=f"{server.replace('http', 'json', 1)}/{TOKEN}")
    if kind == "pagerduty":
        return channel(kind, "routing_key", server=server), environment(routing_key=TOKEN)
    if kind == "statuspage":
        return channel(kind, "api_key", server=server, page="kctbh9vrtdwd"), environment(api_key=TOKEN)
    if kind == "servicenow":
        return channel(kind, "user", "password", server=server), environment(user="warroom", password=TOKEN)
    return channel("jira", "token", server=server, project="OPS"), environment(token=TOKEN)


WEB = ("slack", "teams", "webhook", "apprise", "pagerduty", "statuspage", "servicenow", "jira")
ANSWERS: Mapping[str, Any] = {
    "slack": (200, "ok"),
    "teams": (202, ""),
    "webhook": (204, ""),
    "apprise": (200, ""),
    "pagerduty": (202, {"status": "success", "dedup_key": INCIDENT}),
    "statuspage": (201, {"id": "p31zjtct2jer"}),
    "servicenow": (201, {"result": {"sys_id": "c537bae64f411200adf9f8e18110c76e", "number": "INC0010023"}}),
    "jira": (201, {"id": "10000", "key": "OPS-24"}),
}


async def sent(kind: str, at: Receiver, message: Message = MESSAGE, patience: Patience = QUICK) -> Delivery:
    where, values = desk(kind, at.url)
    return await deliver(where, message, values, patience=patience)
