"""Numbers in a query string, read and refused as the API server does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drill import statuses


def integer(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number, None if it is not there. Raises BadRequest."""
    text = query.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[-+]?\d+", text):
        raise statuses.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def resource_version(query: Mapping[str, str]) -> int:
    """The resourceVersion that is asked for, 0 if none is. Raises 500 with the words of the watch cache."""
    text = query.get("resourceVersion", "")
    if not re.fullmatch(r"\d*", text):
        raise statuses.unreadable_version("resourceVersion", text)
    return int(text or 0)
