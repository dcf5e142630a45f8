"""PagerDuty's Events API v2: one alert for each incident, whose dedup key is the incident's ID.

https://developer.pagerduty.com/docs/send-alert-event. An alert that was triggered already takes further triggers into
its log without paging anybody again, so that a status update may be sent as one.
"""

from __future__ import annotations

from incident.channels.message import Event, Message, Sent
from incident.channels.wire import Wire

SERVER = "https://events.pagerduty.com"
SUMMARY_LIMIT = 1024  # characters, the API's
_SEVERITIES = {1: "critical", 2: "error", 3: "warning", 4: "info"}
_SAID: dict[Event, str] = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "resolve": "resolved",
}


def event_of(message: Message) -> Event:
    """What the pager is to do: what the message says, or what its status means."""
    return message.event or ("resolve" if message.over else "trigger")


async def pagerduty(wire: Wire, message: Message) -> Sent:
    """Trigger, acknowledge or resolve the incident's alert."""
    event = event_of(message)
    body: dict[str, object] = {
        "routing_key": wire.secrets.get("routing_key"),
        "event_action": event,
        "dedup_key": message.incident,
    }
    if event == "trigger":
        body["client"] = "warroom"
        body["payload"] = {
            "summary": message.headline[:SUMMARY_LIMIT],
            "source": message.source or "warroom",
            "severity": _SEVERITIES.get(message.severity or 0, "error"),
            "custom_details": {"incident": message.incident, "status": message.status, "update": message.text},
        }
    await wire.call("POST", f"{wire.option('server', SERVER).rstrip('/')}/v2/enqueue", body)
    return Sent(f"{_SAID[event]}, key {message.incident}", ref=message.incident)
