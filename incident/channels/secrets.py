"""What channels read from the environment, and nobody else may see: taken out of every text by value."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

from incident.channels.message import Channel
from incident.redact import REDACTED, redact

SHORTEST = 4  # characters; what is shorter is in too many words to be taken out of them
SHORTEST_PART = 8  # of a URL


class Secrets:
    """The values of one channel's environment variables, by what they are for. Its ``repr`` has none of them."""

    def __init__(self, channel: Channel, environment: Mapping[str, str]) -> None:
        self._values = {purpose: environment.get(name, "").strip() for purpose, name in channel.env.items()}
        forms: set[str] = set()
        for value in self._values.values():
            forms |= _forms(value)
        user, password = self.get("user"), self.get("password") or self.get("token")
        if password:
            forms.add(_base64(f"{user}:{password}"))
        self._forms = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"

    def get(self, purpose: str) -> str:
        """The value for this purpose; empty if there is none."""
        return self._values.get(purpose, "")

    def also(self, value: str) -> None:
        """Something else that was read from the environment, like a proxy's address with a password."""
        self._forms = sorted({*self._forms, *(form for form in _forms(value) if len(form) >= SHORTEST)}, key=len)[::-1]

    def clean(self, text: str) -> str:
        """The text without any of the values, in any form that they travel in, and without what looks like a secret."""
        return redact(self.without(text))

    def without(self, text: str) -> str:
        """The text without any of the values."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def within(self, text: str) -> bool:
        """Whether any of the values is in the text."""
        return any(form in text for form in self._forms)


def _forms(value: str) -> set[str]:
    """The value as it is, as a URL has it, in base64, and the parts of a URL that are the secret of it."""
    if not value:
        return set()
    forms = {value, quote(value, safe="", errors="replace"), quote_plus(value, errors="replace"), unquote(value)}
    forms.add(_base64(value))
    if "://" in value:
        try:
            parts = urlsplit(value)
            secret = [parts.path, parts.query, parts.password or "", parts.username or "", parts.fragment]
        except ValueError:
            return forms
        secret += [*parts.path.split("/"), *parts.query.replace("&", "=").split("=")]
        forms |= {form for part in secret if len(part) >= SHORTEST_PART for form in (part, unquote(part))}
        if parts.password:
            forms |= {parts.password, unquote(parts.password)}
    return forms


def _base64(value: str) -> str:
    return base64.b64encode(value.encode(errors="replace")).decode()
