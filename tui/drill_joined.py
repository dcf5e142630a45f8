"""A drill's platform that somebody else serves: joined by its directory, and left as it is.

Its console is a drill's in everything, except that the platform and the incident go on when it is left.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tui.drill_process import WRONG, DrillFailed, DrillReady, announced

if TYPE_CHECKING:
    from types import TracebackType

JOIN_FILE = "drill.json"


class JoinedDrill:
    """``directory`` is the one that `warroom drill --serve` named, or a copy of it; ``context`` is who somebody is."""

    shared = True

    def __init__(self, directory: Path, context: str = "") -> None:
        self._directory = directory
        self._context = context

    def __enter__(self) -> JoinedDrill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def stop(self) -> None:
        """The platform is not ours to end."""

    async def ready(self) -> DrillReady:
        """Where it is, which its files say; whether it answers, the panes say. Raises DrillFailed."""
        return await asyncio.to_thread(self.read)

    def wait(self) -> DrillReady:
        """`ready` for a program without an event loop."""
        return self.read()

    def read(self) -> DrillReady:
        """Raises DrillFailed when the directory is not a platform's, or not any more."""
        from incident.practice import NotGood

        where = self._directory.absolute()
        try:
            told = json.loads((where / JOIN_FILE).read_text(encoding="utf-8"))
            ready = announced(told, where, self._context)
        except FileNotFoundError:
            hint = "name the directory that warroom drill --serve told, or your copy of it"
            raise DrillFailed(f"no drill's platform serves from {where}; {hint}") from None
        except OSError as error:
            raise DrillFailed(f"{where / JOIN_FILE}: {error.strerror or error}") from None
        except NotGood as error:
            raise DrillFailed(f"the drill cannot be scored: {error}") from None
        except WRONG as error:
            raise DrillFailed(f"{where / JOIN_FILE} does not describe a drill's platform") from error
        self._check_context(ready.kubeconfig)
        return ready

    def _check_context(self, kubeconfig: Path) -> None:
        if not self._context:
            return
        try:
            names = [context["name"] for context in json.loads(kubeconfig.read_text(encoding="utf-8"))["contexts"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DrillFailed(f"{kubeconfig} is not a drill's kubeconfig") from error
        if self._context not in names:
            raise DrillFailed(f"{self._context} does not take part in this drill; these do: {', '.join(names)}")
