"""Makes what a server or a credential plugin said fit into a sentence: one line, bounded, secrets masked."""

from __future__ import annotations

import re

# What a program may print next to its error and nobody should read over a shoulder.
_HIDDEN = (
    r"eyJ[\w-]{8,}(?:\.[\w-]+){0,2}"  # a JWT
    r"|(?i:(?<=bearer )|(?<=token[=: ])|(?<=secret[=: ])|(?<=password[=: ]))\S{6,}"
    r"|[A-Za-z0-9+/_-]{60,}={0,2}"
)


def one_line(text: str, most: int = 300) -> str:
    """The text on one line, its end kept when it is longer than ``most`` characters (errors come last)."""
    line = re.sub(_HIDDEN, "[redacted]", " ".join(text.split()))
    return line if len(line) <= most else "…" + line[-most:]
