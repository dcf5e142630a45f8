"""What Azure says to a write that it does not carry out, in words: it refused, or nobody knows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.azure.refusals import error_of, retry_after
from runbook.errors import Refused, Uncertain

ROLE = "ask for a role like docs/rbac/azure-responder-role.json"
_MOST_TEXT = 300

_ACTION = re.compile(r"action '(?P<action>[^']+)'", re.IGNORECASE)
_CLIENT = re.compile(r"client '(?P<client>[^']+)'", re.IGNORECASE)


def refusal(status: int, headers: Mapping[str, str], body: bytes, login_hint: str) -> Refused | Uncertain:
    """``headers`` have lower-case names; ``login_hint`` says how to log in again."""
    error = error_of(body)
    message = _line(error.message or "")
    words = ": ".join(filter(None, (_line(error.code or ""), message))) or "no reason given"
    if status >= 500 or status == 408:  # whoever said it may have given up on somebody who goes on
        return Uncertain(f"Azure answered {status} ({words}): it may have been carried out all the same")
    if status == 401:
        return Refused(f"Azure does not accept the login (401): {login_hint}", login_hint, status=status)
    if status == 403 and (action := _ACTION.search(message)):
        client = _CLIENT.search(message)
        who = client["client"] if client else "this login"
        return Refused(f"Azure refused: {who} may not {action['action']}", f"{ROLE}, with it", status=status)
    if status == 429:
        wait = retry_after(headers)
        told = f": try again in {wait:.0f} s" if wait is not None else ""
        return Refused(f"Azure is asked too often (429){told}; nothing was done", status=status)
    return Refused(f"Azure refused ({status}): {words}", status=status)


def _line(text: str) -> str:
    text = " ".join(text[: 4 * _MOST_TEXT].split())
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
