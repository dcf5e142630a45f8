"""Copies of logs without secrets, made line by line and with flat memory, however long the log is."""

from __future__ import annotations

import re
from typing import IO

from incident.redact import REDACTED, redact
from runbook.evidence_folder import EvidenceFile

MOST_LINE = 1024 * 1024
"""Bytes of a line that is looked at; a longer one could hide a secret where it is cut, so it is left out, visibly."""

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_MATERIAL = re.compile(r"[A-Za-z0-9+/=]{16,}+")
_MOST_KEY_LINES = 200  # lines of an RSA key of 16,384 bits; a log that lost the end of a key is readable again after


class LineRedactor:
    """Redacts lines that come one after the other, and remembers what spans several of them: a private key."""

    def __init__(self) -> None:
        self._in_key = 0  # lines that it may still last

    def line(self, text: str) -> str:
        """The line without secrets, its end as it was."""
        if self._in_key:
            self._in_key -= 1
            if (end := _END.search(text)) is not None:
                self._in_key = 0
                return _KEY_MATERIAL.sub(REDACTED, text[: end.start()]) + REDACTED + self.line(text[end.end() :])
            return redact(_KEY_MATERIAL.sub(REDACTED, text))
        if "PRIVATE KEY-----" in text:
            *_, begin = (None, *_BEGIN.finditer(text))
            if begin is not None and _END.search(text, begin.end()) is None:
                self._in_key = _MOST_KEY_LINES
                end_of_line = text[len(text.rstrip("\r\n")) :]
                return redact(text[: begin.start()]) + REDACTED + end_of_line
        return redact(text)


class LogRedaction:
    """The redacted copy of one log, made in steps so that it can be watched and left. ``source`` is its original."""

    def __init__(self, source: IO[bytes], copy: EvidenceFile) -> None:
        self._source = source
        self._copy = copy
        self._redactor = LineRedactor()

    def step(self, most: int = 1024 * 1024) -> bool:
        """Copy about ``most`` bytes more; False when all is copied. Raises `CannotKeep`, OSError."""
        lines: list[bytes] = []
        taken = 0
        while taken < most:
            raw = self._source.readline(MOST_LINE)
            if not raw:
                break
            taken += len(raw)
            if len(raw) == MOST_LINE and not raw.endswith(b"\n"):
                taken += self._skip_line(lines, len(raw))
                continue
            # What is no UTF-8 comes out as the bytes that it was.
            text = self._redactor.line(raw.decode("utf-8", "surrogateescape"))
            lines.append(text.encode("utf-8", "surrogateescape"))
        self._copy.write(b"".join(lines))
        return taken > 0

    def _skip_line(self, lines: list[bytes], begun: int) -> int:
        skipped = 0
        while (raw := self._source.readline(MOST_LINE)) and not raw.endswith(b"\n"):
            skipped += len(raw)
        skipped += len(raw)
        lines.append(f"{REDACTED} (a line of {begun + skipped:,} bytes: see the original)\n".encode())
        return skipped
