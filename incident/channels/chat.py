"""Slack, Microsoft Teams and a plain JSON webhook. The words arrive as they were written: no markup, no mentions."""

from __future__ import annotations

from typing import Any

from incident.channels.message import Failed, Message, Sent
from incident.channels.wire import Wire


async def slack(wire: Wire, message: Message) -> Sent:
    """An incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

    Slack reads ``&``, ``<`` and ``>`` as its own even where formatting is off; escaped, ``<!channel>`` calls nobody.
    """
    text = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    await wire.call("POST", wire.secrets.get("url"), body)
    return Sent("delivered")


async def teams(wire: Wire, message: Message) -> Sent:
    """A Workflows webhook ("Post to a channel when a webhook request is received"), with an Adaptive Card.

    Its text blocks read Markdown; text runs do not, so each line of the message is a run of its own.
    """
    lines: list[dict[str, Any]] = [
        {"type": "RichTextBlock", "spacing": "None", "inlines": [{"type": "TextRun", "text": line or " "}]}
        for line in message.text.split("\n")
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": lines,
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    body = {"type": "message", "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}]}
    answer = await wire.call("POST", wire.secrets.get("url"), body)
    if "failed with error" in answer.body:  # an old connector says 200 and means this
        throttled = "429" in answer.body
        raise Failed(f"Teams answered: {wire.secrets.clean(answer.body)[:200]}", again=throttled)
    return Sent("delivered" if answer.status == 200 else "accepted by the workflow")


async def webhook(wire: Wire, message: Message) -> Sent:
    """JSON to any address: ``incident, title, severity, status, source, text, drill``; a token goes as Bearer."""
    token = wire.secrets.get("token")
    body = {
        "incident": message.incident,
        "title": message.title,
        "severity": message.severity,
        "status": message.status,
        "source": message.source,
        "text": message.text,
        "drill": message.drill,
    }
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await wire.call("POST", wire.secrets.get("url"), body, headers=headers)
    return Sent(f"delivered ({answer.status})")
