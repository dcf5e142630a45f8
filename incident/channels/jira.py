"""Jira's REST API, version 2: an issue with the first update, a comment on it with those after it.

https://developer.atlassian.com/cloud/jira/platform/rest/v2/. Version 2 takes plain text, on the Cloud and in data
centres.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

from incident.channels.message import Failed, Message, Sent
from incident.channels.wire import Wire

SUMMARY_LIMIT = 255  # characters, Jira's


async def jira(wire: Wire, message: Message) -> Sent:
    """Create the issue, or comment on the one in ``ref``."""
    url = f"{wire.option('server').rstrip('/')}/rest/api/2/issue"
    headers = {"Authorization": _authorization(wire)}
    text = _verbatim(message.text)
    if message.ref:
        await wire.call("POST", f"{url}/{quote(message.ref, safe='')}/comment", {"body": text}, headers=headers)
        return Sent(f"commented on {message.ref}", ref=message.ref)
    fields: dict[str, object] = {
        "project": {"key": wire.option("project")},
        "issuetype": {"name": wire.option("type", "Incident")},
        "summary": message.headline[:SUMMARY_LIMIT],
        "description": text,
        "labels": [message.incident],
    }
    answer = await wire.call("POST", url, {"fields": fields}, headers=headers, makes=True)
    ref = answer.get("key")
    if not ref:
        raise Failed("Jira answered without the issue's key: look there before sending again")
    return Sent(f"created {ref}", ref=ref)


def _verbatim(text: str) -> str:
    """Kept from Jira's wiki markup, unless the text would end the block itself."""
    return text if "{noformat}" in text else f"{{noformat}}\n{text}\n{{noformat}}"


def _authorization(wire: Wire) -> str:
    """Cloud: the account's address and an API token. Data centres: a personal access token alone."""
    token, user = wire.secrets.get("token"), wire.secrets.get("user")
    if not user:
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"
