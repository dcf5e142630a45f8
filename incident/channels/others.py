"""Everything else that apprise knows, by the URL in an environment variable (https://appriseit.com/services/).

apprise says only yes or no and puts the reason in its log, maybe with the URL it used: its log is read here, cleaned,
and goes nowhere else.
"""

from __future__ import annotations

import logging
import threading

from incident.channels.message import Failed, Message, Sent
from incident.channels.reach import spoken_to
from incident.channels.wire import Wire, in_thread

_LOG = logging.getLogger("apprise")


class _Ears(logging.Handler):
    """What apprise says in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.said.append(record.getMessage())


async def others(wire: Wire, message: Message) -> Sent:
    """Hand the message to apprise, as plain text."""
    url = wire.secrets.get("url")
    if message.drill and wire.proxied:
        raise Failed("not sent: this is a drill, and a proxy that is set would be told")
    wire.check_host(spoken_to(url))
    try:
        trouble = await in_thread(lambda: _notify(url, message), wire.limit)
    except TimeoutError:
        raise Failed(f"no answer within {wire.limit:g} s", again=True) from None
    except Exception as error:  # noqa: BLE001  # a hundred plugins: whatever one raises may have a URL in it
        raise Failed(f"apprise failed: {type(error).__name__}") from None
    if trouble is not None:
        said = wire.secrets.clean(trouble)[:300]
        raise Failed(f"apprise could not deliver: {said or 'it gave no reason'}", again=_passing(said))
    return Sent("delivered")


def _notify(url: str, message: Message) -> str | None:
    """In a thread: None if it was delivered, else what apprise said."""
    _LOG.propagate = False
    _LOG.setLevel(logging.WARNING)
    import apprise

    ears = _Ears()
    _LOG.addHandler(ears)
    try:
        asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, http_redirects=False, app_id="warroom")
        out = apprise.Apprise(asset=asset)
        if not out.add(url):
            return "the address is of no service that it knows"
        delivered = out.notify(body=message.text, title=message.headline, body_format=apprise.NotifyFormat.TEXT)
        return None if delivered else " · ".join(" ".join(said.split()) for said in ears.said)
    finally:
        _LOG.removeHandler(ears)


def _passing(said: str) -> bool:
    """Whether another try may help: apprise has no word for it, so it is told from the HTTP status in its log."""
    return not any(f"error={status}" in said for status in (400, 401, 403, 404, 405, 410, 422)) and "knows" not in said
