"""What Azure Resource Manager's refusals mean: its error bodies and HTTP codes as the errors of `probes.errors`.

Codes: learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from probes.errors import BadAnswer, Forbidden, LoginExpired, NotFound, ProbeError, Unreachable

_MOST_TEXT = 300
MOST_WAIT = 300.0  # seconds of a Retry-After that are believed

READER = "Reader"
"""The built-in role that holds every action that is only looked at; docs/rbac/azure-role.json has just those."""

_ACTION = re.compile(r"action '(?P<action>[^']+)'", re.IGNORECASE)
_SCOPE = re.compile(r"over scope '(?P<scope>[^']+)'", re.IGNORECASE)
_CLIENT = re.compile(r"client '(?P<client>[^']+)'(?: with object id '(?P<object>[^']+)')?", re.IGNORECASE)
_TENANT = re.compile(r"tenant '?https://[^/]+/(?P<tenant>[0-9a-f-]{36})", re.IGNORECASE)
_SAFE = re.compile(r"[\w.@/+-]+")


class Error(Struct, gc=False):
    """``{"code", "message"}``; both are Azure's own words."""

    code: str | None = ""
    message: str | None = ""


class _Body(Struct, gc=False):
    error: Error | None = None
    code: str | None = ""
    message: str | None = ""
    Message: str | None = ""  # Microsoft.Insights says it so, at times


_decoder = msgspec.json.Decoder(_Body)


def error_of(body: bytes) -> Error:
    """The code and message of an error body, in both forms that there are; gateways answer HTML or nothing."""
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return Error("", re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace")))
    return found.error or Error(found.code, found.message or found.Message)


def error_for(status: int, headers: Mapping[str, str], body: bytes, asked: str, login_hint: str) -> ProbeError:
    """The error for a refusal. ``asked`` says what was asked for, ``login_hint`` how to log in again."""
    error = error_of(body)
    code, message = _one_line(error.code or ""), _one_line(error.message or "")
    if status == 401:
        tenant = _TENANT.search(error.message or "")
        hint = f"az login --tenant {tenant['tenant']}" if tenant and login_hint == "az login" else login_hint
        why = "has expired" if "expired" in f"{code} {message}".lower() else "is not accepted"
        if tenant:
            why = "is of another tenant than the subscription"
        return LoginExpired(f"the login to Azure {why} ({code or status})", hint=hint, status=status)
    if status == 403:
        return _forbidden(code, error.message or "", asked)
    if status == 404:
        return _not_found(code, message, asked)
    if status == 429:
        return throttled(retry_after(headers))
    if status >= 500 or status == 408:
        told = f"Azure cannot answer {asked} now ({status}): {message}".rstrip(": ")
        return Unreachable(told, status=status, retry_after=retry_after(headers))
    if code in ("InvalidSubscriptionId", "SubscriptionNotFound"):
        return _not_found(code, message, asked)
    return BadAnswer(f"Azure answered {status} to {asked}: {code} {message}".rstrip(": "), status=status)


def throttled(wait: float | None) -> Unreachable:
    """429; ``wait`` is the seconds that Azure asks to be left alone."""
    told = f", and asks to wait {wait:.0f} s" if wait is not None else ""
    return Unreachable(f"Azure throttles us (429){told}", status=429, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the server asks to be left alone, at most five minutes; a date is held against its own Date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return min(float(text), MOST_WAIT)
    until, now = date(text), date(headers.get("date", ""))
    return min(max(until - now, 0.0), MOST_WAIT) if until is not None and now is not None else None


def date(text: str) -> float | None:
    """Epoch seconds of an HTTP date; None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _forbidden(code: str, message: str, asked: str) -> Forbidden:
    """403 names the action that is missing, and where; that becomes the command which gives it."""
    action, scope, client = _ACTION.search(message), _SCOPE.search(message), _CLIENT.search(message)
    if not action or not scope:
        return Forbidden(f"may not see {asked}: {code} {_one_line(message)}".rstrip(": "), status=403)
    who = client["client"] if client else "this login"
    assignee = (client["object"] or client["client"]) if client else ""
    where = re.sub(r"/providers/Microsoft\.Insights/.*$", "", scope["scope"], flags=re.IGNORECASE) or scope["scope"]
    return Forbidden(
        _one_line(f"may not see {asked}: {action['action']} is missing for {who}"),
        # What goes into a command comes from the server: only what cannot be anything else than an id does.
        hint=f'az role assignment create --role "{READER}" --assignee {assignee} --scope {where}'
        if _SAFE.fullmatch(assignee) and re.fullmatch(r"[\w./()-]+", where)
        else f'az role assignment create --role "{READER}" …',
        status=403,
    )


def _not_found(code: str, message: str, asked: str) -> NotFound:
    if code in ("SubscriptionNotFound", "InvalidSubscriptionId"):
        return NotFound(f"{message or code} (azure.subscription)", hint="az account list --output table", status=404)
    if code == "ResourceGroupNotFound":
        return NotFound(f"{message} (azure.resource_groups)", hint="az group list --output table", status=404)
    return NotFound(f"there is no {asked}: {message or code}".rstrip(": "), status=404)


def _one_line(text: str) -> str:
    text = " ".join(text[: 4 * _MOST_TEXT].split())
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
