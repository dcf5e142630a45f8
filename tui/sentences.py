"""Errors as one sentence on stderr: what happened, and what to do. What nobody foresaw goes to the log file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

log = logging.getLogger(__name__)


class CommandFailed(Exception):
    """A command cannot do what it was asked; ``str(error)`` is the sentence for stderr, the exit status is 2."""


def say(sentence: str) -> None:
    """Talk: to stderr, with the program's name, inert whatever a server put into it."""
    from widgets.plain import plain

    print(f"warroom: {plain(sentence, 2000)}", file=sys.stderr)


def explain(error: Exception) -> str:
    """One sentence for ``error``, one line, safe on a terminal."""
    from widgets.plain import plain

    return plain(_sentence(error), 2000)


def _sentence(error: Exception) -> str:
    from incident.errors import StoreError
    from probes.errors import ProbeError
    from tui.drill_process import DrillFailed
    from tui.toml_table import SettingsError

    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, ProbeError):
        return with_hint(str(error), error.hint)
    if isinstance(error, CommandFailed | SettingsError | DrillFailed | StoreError):
        return str(error)
    if isinstance(error, OSError):
        log.error("command failed", exc_info=error)
        where = f"{error.filename}: " if isinstance(error.filename, str | Path) else ""
        return f"{where}{error.strerror or error}"
    return f"something went wrong that should not: {type(error).__name__}: {str(error).rstrip('.')}. {_keep(error)}"


def with_hint(sentence: str, hint: str) -> str:
    """The sentence, and after a dash what to do about it, unless it says so itself."""
    return f"{sentence.rstrip('.')} — {hint}" if hint and hint not in sentence else sentence


def _keep(error: Exception) -> str:
    """Put the traceback into the log file and say where that is."""
    from tui import logfile

    if not logging.getLogger().handlers:
        try:
            logfile.install()
        except OSError as cannot:
            return f"The log file cannot be written either: {cannot}."
    log.critical("command failed", exc_info=error)
    return f"The details are in {logfile.current() or 'the log'}."
