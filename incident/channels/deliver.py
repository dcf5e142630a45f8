"""One way to deliver a message: tried a few times, never longer than a limit, and whatever happens is an outcome.

Nothing is raised and nothing is logged here: what went wrong is one clean line in the outcome.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from incident.channels.chat import slack, teams, webhook
from incident.channels.jira import jira
from incident.channels.kinds import unusable
from incident.channels.mail import mail
from incident.channels.message import Channel, Delivery, Failed, Message, Sent, watermarked
from incident.channels.others import others
from incident.channels.pagerduty import pagerduty
from incident.channels.servicenow import servicenow
from incident.channels.statuspage import statuspage
from incident.channels.wire import Wire
from incident.intake import visible

Adapter = Callable[[Wire, Message], Awaitable[Sent]]

ADAPTERS: Mapping[str, Adapter] = {
    "slack": slack,
    "teams": teams,
    "webhook": webhook,
    "pagerduty": pagerduty,
    "email": mail,
    "apprise": others,
    "statuspage": statuspage,
    "servicenow": servicenow,
    "jira": jira,
}

DETAIL_LIMIT = 400  # characters


class Patience(Struct, frozen=True, kw_only=True):
    """How often and how long. Seconds.

    ``limit``    of one attempt.
    ``pause``    before the second attempt; doubled before each further one, with up to half as much again.
    ``longest``  that a server may ask for with Retry-After; one that asks for more is not waited for.
    """

    attempts: int = 3
    limit: float = 15.0
    pause: float = 2.0
    longest: float = 60.0


async def deliver(
    channel: Channel,
    message: Message,
    environment: Mapping[str, str],
    *,
    patience: Patience = Patience(),  # noqa: B008  # frozen
    trying: Callable[[int, str], None] | None = None,
) -> Delivery:
    """Deliver the message there. ``trying`` is told which attempt begins, and why the one before failed.

    Text and title are made harmless to terminals and logs; a drill's text begins with its watermark. Cancelled, it
    raises nothing but the cancellation.
    """
    if trouble := unusable(channel, environment):
        return Delivery(ok=False, detail=trouble, attempts=0)
    title = " ".join(visible(message.title).split()) or message.incident
    message = replace(message, text=watermarked(visible(message.text), message.drill), title=title)
    wire = Wire(channel, environment, drill=message.drill, limit=patience.limit)
    reason, attempt = "", 0
    while True:
        attempt += 1
        if trying is not None:
            trying(attempt, reason)
        try:
            sent = await ADAPTERS[channel.kind](wire, message)
            return Delivery(ok=True, detail=_line(wire, sent.detail), attempts=attempt, ref=sent.ref)
        except Failed as failure:
            reason = _line(wire, str(failure))
            if not failure.again or attempt >= patience.attempts:
                return Delivery(ok=False, detail=reason, attempts=attempt)
            if failure.after is not None and failure.after > patience.longest:
                asks = f"{reason} (it asks to wait {failure.after:,.0f} s)"
                return Delivery(ok=False, detail=asks, attempts=attempt)
            pause = patience.pause * 2 ** (attempt - 1) if failure.after is None else failure.after
            await asyncio.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # jitter
        except Exception as error:  # noqa: BLE001  # an adapter's own defect; its words may hold what it was given
            return Delivery(ok=False, detail=f"it failed here: {type(error).__name__}", attempts=attempt)


def _line(wire: Wire, text: str) -> str:
    return " ".join(visible(wire.secrets.clean(text)).split())[:DETAIL_LIMIT]
