"""The log file: what went wrong, for whoever repairs the program. It never reaches the screen.

Everything nobody caught ends here too: exceptions of the main thread, of other threads and of asyncio.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from tui import paths

if TYPE_CHECKING:
    import asyncio
    from logging.handlers import RotatingFileHandler
    from pathlib import Path
    from types import TracebackType

log = logging.getLogger(__name__)

BYTES = 2 * 1024 * 1024
BACKUPS = 3


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _handler(path: Path) -> RotatingFileHandler:
    from logging.handlers import RotatingFileHandler

    class PrivateRotatingFileHandler(RotatingFileHandler):
        """Creates every file, the rotated ones included, readable by its owner only."""

        def _open(self) -> IO[Any]:  # type: ignore[override]  # typeshed says TextIOWrapper; open() gives one
            return open(  # Path.open takes no opener; logging closes it
                self.baseFilename, self.mode, encoding="utf-8", errors="backslashreplace", opener=_private_opener
            )

    return PrivateRotatingFileHandler(path, maxBytes=BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)


def install(path: Path | None = None) -> Path:
    """Send this process's log records and uncaught exceptions to ``path``; return it. Raises OSError.

    The directory is created (0700), the file when the first record comes (0600). Records below INFO
    are kept only for our own rooms when ``WARROOM_DEBUG`` is set.
    """
    path = path or paths.log_file()
    paths.private_directory(path.parent)
    handler = _handler(path)
    handler.setFormatter(
        logging.Formatter(
            "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # A line per request would rotate everything useful away.
    for chatty in ("aiohttp", "asyncio", "kubernetes", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if os.environ.get("WARROOM_DEBUG"):
        for room in ("tui", "widgets", "probes", "incident", "runbook", "drill"):
            logging.getLogger(room).setLevel(logging.DEBUG)
    # A full disk must not print logging's own traceback over the console.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return path


def current() -> Path | None:
    """The file that this process logs to, None before `install`."""
    from logging.handlers import RotatingFileHandler
    from pathlib import Path

    for handler in logging.getLogger().handlers:
        if isinstance(handler, RotatingFileHandler):
            return Path(handler.baseFilename)
    return None


def install_asyncio(loop: asyncio.AbstractEventLoop) -> None:
    """Send what ``loop`` would print about a forgotten task or callback to the log as well."""
    loop.set_exception_handler(_uncaught_in_loop)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("uncaught exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "a thread"
        log.critical("uncaught exception in %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _uncaught_in_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("event loop: %s", context.get("message", "unhandled"), exc_info=error if error is not None else None)
