"""ServiceNow's Table API: one record for each incident, found again by its correlation_id, whoever made it.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html.
Further updates become work notes. The record's state is left alone: closing one needs codes that only its owners know.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

from incident.channels.message import Failed, Message, Sent
from incident.channels.wire import Wire

# Impact and urgency 1 (high) to 3 (low); ServiceNow makes the priority of them.
_IMPACT = {1: "1", 2: "2", 3: "3", 4: "3"}
_URGENCY = {1: "1", 2: "1", 3: "2", 4: "3"}


async def servicenow(wire: Wire, message: Message) -> Sent:
    """Create the record, or add a note to the one that has this incident's ID."""
    table = quote(wire.option("table", "incident"), safe="")
    url = f"{wire.option('server').rstrip('/')}/api/now/table/{table}"
    headers = {"Authorization": _authorization(wire)}
    fields = "sysparm_fields=sys_id,number"
    query = f"correlation_id={quote(message.incident, safe='')}"
    found = await wire.call("GET", f"{url}?sysparm_query={query}&sysparm_limit=1&{fields}", headers=headers)
    ref = found.get("result", "0", "sys_id")
    if ref:
        note = {wire.option("notes", "work_notes"): message.text}
        await wire.call("PATCH", f"{url}/{quote(ref, safe='')}?{fields}", note, headers=headers)
        return Sent(f"noted on {found.get('result', '0', 'number') or ref}", ref=ref)
    record = {
        "short_description": message.headline,
        "description": message.text,
        "correlation_id": message.incident,
        "correlation_display": "warroom",
        "impact": _IMPACT.get(message.severity or 0, "2"),
        "urgency": _URGENCY.get(message.severity or 0, "2"),
    }
    if group := wire.option("group"):
        record["assignment_group"] = group
    # Made twice it would be two records; the next try finds by correlation_id what this one made.
    made = await wire.call("POST", f"{url}?{fields}", record, headers=headers)
    ref = made.get("result", "sys_id")
    if not ref:
        raise Failed("ServiceNow answered without a sys_id: look there before sending again")
    return Sent(f"created {made.get('result', 'number') or ref}", ref=ref)


def _authorization(wire: Wire) -> str:
    if token := wire.secrets.get("token"):
        return f"Bearer {token}"
    pair = f"{wire.secrets.get('user')}:{wire.secrets.get('password')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
