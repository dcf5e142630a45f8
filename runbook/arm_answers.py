"""What Azure Resource Manager's refusals mean: its error bodies and HTTP codes as the errors of `probes.errors`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from probes.answers import seconds
from probes.errors import BadAnswer, Forbidden, LoginExpired, NotFound, ProbeError, Unreachable

LOGIN = "az login"
ROLE = "ask for a role like docs/rbac/azure-role.json"
_MOST_TEXT = 300

# The words of Azure's authorization since its beginning: "The client 'x' with object id 'y' does not have authorization
# to perform action 'Microsoft.Sql/servers/databases/write' over scope '/subscriptions/…' or the scope is invalid."
_FORBIDDEN = re.compile(
    r"client '(?P<who>[^']*)'.*?perform action '(?P<action>[^']*)'(?: over scope '(?P<scope>[^']*)')?"
)


class Said(NamedTuple):
    """The code and message of an error body; empty where it has none."""

    code: str
    message: str


def said(body: bytes) -> Said:
    """``{"error": {"code", "message"}}``, or the two bare; what is neither becomes the message."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode("utf-8", "replace")
        return Said("", _line(re.sub(r"<[^>]*>", " ", text) if text.lstrip().startswith("<") else text))
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]
    if not isinstance(found, dict):
        return Said("", "")
    return Said(_line(str(found.get("code") or "")), _line(str(found.get("message") or "")))


def error_for(status: int, body: bytes, retry_after: str | None = None) -> ProbeError:
    """The error for a refusal. ``retry_after`` is the header's text."""
    code, message = said(body)
    words = ": ".join(filter(None, (code, message)))
    if status == 401:
        return LoginExpired(f"Azure does not accept the login (401): {LOGIN}", hint=LOGIN, status=status)
    if status == 403:
        return _forbidden(message or code)
    if status == 404:
        return NotFound(message or code or "not found", status=status)
    if status == 429:
        wait = seconds(retry_after)
        rest = f": try again in {wait:.0f} s" if wait is not None else ""
        return Unreachable(f"Azure is asked too often (429){rest}", status=status, retry_after=wait)
    if status >= 500:
        return Unreachable(
            f"Azure cannot answer now ({status}): {words}".rstrip(": "), status=status, retry_after=seconds(retry_after)
        )
    return BadAnswer(f"Azure answered {status}: {words}".rstrip(": "), status=status)


def _forbidden(message: str) -> Forbidden:
    found = _FORBIDDEN.search(message)
    if not found:
        return Forbidden(message or "Azure does not allow it (403)", ROLE, status=403)
    where = f" on {_tail(found['scope'])}" if found["scope"] else ""
    return Forbidden(
        f"{found['action']} is not allowed{where} for {found['who']}", f"{ROLE}, with {found['action']}", status=403
    )


def _tail(scope: str) -> str:
    """The end of a scope: what is common to all of a subscription is left out."""
    return "/".join(scope.rstrip("/").split("/")[-3:]) if scope.count("/") > 3 else scope


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
