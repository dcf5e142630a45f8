"""The URL of a connectivity check: what somebody typed, held to what is one http or https request and no secret."""

from __future__ import annotations

from urllib.parse import urlsplit

from incident.redact import redact

_MOST = 2000  # characters
_GLOBS = frozenset("[]{}")  # curl would make many requests of them


def fault_in(url: str) -> str:
    """What is wrong with it, in a few words; empty when it can be used."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return "a URL is one word of ASCII: write other characters percent-encoded"
    if len(url) > _MOST:
        return f"a URL of more than {_MOST} characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"no URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "a URL here begins with https:// or http://"
    if not host:
        return "the URL names no host"
    if "@" in parts.netloc:
        return "no user or password belongs into the URL: it would be on the timeline and in the pod's process list"
    if redact(url) != url:
        return "the URL seems to hold a secret: it would be on the timeline and in the pod's process list"
    if _GLOBS & set(url.replace(f"[{host}]", "", 1)):
        return "brackets and braces mean many requests to curl: write them percent-encoded"
    return ""


def host_of(url: str) -> str:
    """The host and, if there is one, the port, for a sentence."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url
