"""How far a channel reaches: a drill's updates go to this machine and no further."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from incident.channels.message import Channel
from incident.channels.wire import loopback

# Schemes of apprise whose host is the one that is spoken to; of all others nobody here knows where they would go.
PLAIN = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto")


def host_of(channel: Channel, environment: Mapping[str, str]) -> str:
    """The host that it speaks to, as far as its description and the environment tell; else empty."""
    if channel.kind == "apprise":
        return spoken_to(environment.get(channel.env.get("url", ""), ""))
    if "host" in channel.options:
        return channel.options["host"]
    url = channel.env.get("url")
    address = channel.options.get("server", "") if url is None else environment.get(url, "")
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:
        return ""


def spoken_to(url: str) -> str:
    """The host of an apprise URL; for a service that has its own, its scheme."""
    scheme, _, rest = url.partition("://")
    if scheme not in PLAIN:
        return f"{scheme}://"
    try:
        return urlsplit(f"http://{rest}").hostname or ""
    except ValueError:
        return ""


def stays_here(channel: Channel, environment: Mapping[str, str]) -> bool:
    """Whether all that it sends surely stays on this machine."""
    return loopback(host_of(channel, environment))
