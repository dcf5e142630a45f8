"""Where the console looks: it reads the settings' cluster, or a drill's platform, and connects to it.

It starts right after the first frame, before the panes are even imported: the first answers come in meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from probes.errors import ConfigError
from tui.feeds import Feeds
from tui.sentences import with_hint
from tui.session import Session, View
from tui.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tui.app import WarroomApp
    from tui.drill_process import DrillReady


class Lookout:
    """``drill`` is the embedded platform once it serves; ``refusal`` is why there is nothing to look at, or empty.

    ``connected`` is called when the cluster or its version became known.
    """

    def __init__(self, app: WarroomApp, now: Callable[[], float]) -> None:
        self.settings = app.options.settings
        self.drill: DrillReady | None = None
        self.refusal = ""
        self.feeds = Feeds(app, now)
        self.session = Session(self.feeds, now, self._connected)
        self.connected: Callable[[], None] = lambda: None
        self._options = app.options

    async def look(self) -> bool:
        """Connect and start the probes; False when there is nothing to look at, and `refusal` says why."""
        try:
            view = await self._view()
        except ConfigError as error:
            self.refusal = with_hint(str(error), error.hint)
            return False
        except SettingsError as error:
            self.refusal = str(error)
            return False
        if view is None:
            return False
        await self.session.look_at(view)
        return True

    def _connected(self) -> None:
        self.connected()

    async def _view(self) -> View | None:
        options = self._options
        if options.drill is None:
            await asyncio.to_thread(_check_kubeconfig, options.kubeconfig, options.context)
            return View(self.settings, options.kubeconfig, options.context, options.namespaces)
        from tui.drill_process import DrillFailed

        try:
            self.drill = await options.drill.ready()
        except DrillFailed as error:
            self.refusal = str(error)
            return None
        found = await asyncio.to_thread(Settings.load, self.drill.config)
        self.settings = self.settings.with_platform(found, self.drill.context)
        cluster = self.settings.cluster
        kubeconfig = cluster.kubeconfig or str(self.drill.kubeconfig)
        return View(self.settings, kubeconfig, cluster.context or None, options.namespaces or cluster.namespaces)


def _check_kubeconfig(kubeconfig: str | None, context: str | None) -> None:
    """Files only. Raises ConfigError: the console has nothing to look at, and says so instead of opening."""
    from probes.kubeconfig import select

    select(kubeconfig, context)
