"""Atlassian Statuspage: the incident is created with the first update, and updated and resolved with those after it.

https://developer.statuspage.io/#tag/incidents. What is written there, customers read.
"""

from __future__ import annotations

from urllib.parse import quote

from incident.channels.message import Failed, Message, Sent
from incident.channels.wire import Wire

SERVER = "https://api.statuspage.io"
_STATUS = {"INVESTIGATING": "investigating", "MITIGATING": "identified", "RESOLVED": "resolved", "REVIEWED": "resolved"}
_IMPACT = {1: "critical", 2: "major", 3: "minor", 4: "none"}


async def statuspage(wire: Wire, message: Message) -> Sent:
    """Create the page's incident, or update the one in ``ref``."""
    page = quote(wire.option("page"), safe="")
    url = f"{wire.option('server', SERVER).rstrip('/')}/v1/pages/{page}/incidents"
    headers = {"Authorization": f"OAuth {wire.secrets.get('api_key')}"}
    told: dict[str, object] = {"status": _STATUS.get(message.status, "investigating"), "body": message.text}
    if message.ref:
        await wire.call("PATCH", f"{url}/{quote(message.ref, safe='')}", {"incident": told}, headers=headers)
        return Sent(f"updated {message.ref}: {told['status']}", ref=message.ref)
    told["name"] = message.headline
    if message.severity in _IMPACT:
        told["impact_override"] = _IMPACT[message.severity]
    answer = await wire.call("POST", url, {"incident": told}, headers=headers, makes=True)
    ref = answer.get("id")
    if not ref:
        raise Failed("the page answered without the incident's id: look there before sending again")
    return Sent(f"created {ref}: {told['status']}", ref=ref)
