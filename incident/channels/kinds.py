"""What each kind of channel needs: environment variables by what they are for, and options."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from incident.channels.message import Channel


class KindOfChannel(Struct, frozen=True, kw_only=True):
    """``needs`` and ``may`` are purposes of environment variables, ``options`` and ``must`` names of options."""

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


KINDS: Mapping[str, KindOfChannel] = {
    "slack": KindOfChannel(needs=("url",), options=("ca",)),
    "teams": KindOfChannel(needs=("url",), options=("ca",)),
    "webhook": KindOfChannel(needs=("url",), may=("token",), options=("ca",)),
    "pagerduty": KindOfChannel(needs=("routing_key",), options=("server", "ca")),
    "email": KindOfChannel(
        may=("user", "password"), must=("host", "from", "to"), options=("port", "security", "ca", "subject")
    ),
    "apprise": KindOfChannel(needs=("url",)),
    "statuspage": KindOfChannel(needs=("api_key",), must=("page",), options=("server", "ca")),
    "servicenow": KindOfChannel(
        may=("user", "password", "token"), must=("server",), options=("table", "group", "notes", "ca")
    ),
    "jira": KindOfChannel(needs=("token",), may=("user",), must=("server", "project"), options=("type", "ca")),
}


def wrong_with(channel: Channel) -> str:
    """What is wrong with a channel's description, in one sentence; empty if nothing is."""
    kind = KINDS.get(channel.kind)
    if kind is None:
        return f"there is no kind of channel {channel.kind!r}; there are {', '.join(KINDS)}"
    for purpose in channel.env:
        if purpose not in (*kind.needs, *kind.may):
            known = ", ".join((*kind.needs, *kind.may)) or "none"
            return f"{channel.kind} has no use for an environment variable {purpose!r} (it knows: {known})"
    for purpose in kind.needs:
        if not channel.env.get(purpose):
            return f"env.{purpose} does not name an environment variable"
    for name in channel.options:
        if name not in (*kind.must, *kind.options):
            return f"{channel.kind} has no option {name!r} (it knows: {', '.join((*kind.must, *kind.options))})"
    for name in kind.must:
        if not channel.options.get(name):
            return f"the option {name!r} is missing"
    if channel.kind == "servicenow" and "token" not in channel.env and not {"user", "password"} <= set(channel.env):
        return "env needs either token, or user and password"
    return ""


def unset(channel: Channel, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The environment variables that the channel names and that are not set, or empty."""
    return tuple(dict.fromkeys(name for name in channel.env.values() if not environment.get(name, "").strip()))


def unusable(channel: Channel, environment: Mapping[str, str]) -> str:
    """Why nothing can be delivered there, in a few words; empty if something can."""
    if trouble := wrong_with(channel):
        return trouble
    if missing := unset(channel, environment):
        return f"{' and '.join(missing)} not set"
    for name in channel.env.values():
        if not "".join(environment[name].split()).isprintable():
            return f"{name} has characters that no address and no token has"
    return ""
