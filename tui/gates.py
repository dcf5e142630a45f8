"""The gates of one console, one for each cluster it has looked at: an act goes on when the person looks elsewhere.

Made after the start, when somebody could want to act, and never waited for by the panes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from tui.production import Environment, environment

if TYPE_CHECKING:
    from probes.azure.account import Account
    from runbook.act import Act
    from runbook.gate import Gate
    from runbook.mitigation import Mitigation
    from runbook.playbook import Playbook
    from tui.act_book import ActBook
    from tui.feeds import Feeds
    from tui.options import ConsoleOptions
    from tui.session import View
    from tui.settings import Settings

log = logging.getLogger(__name__)

Place = tuple[str | None, str | None]  # kubeconfig, context


class Gates:
    """``playbook`` gives what the runbook says about mitigations.

    ``account`` is the panes' way to Azure, whose login the gates use as well; they must be closed before it.
    ``changed`` is called when an act has news or something was armed.
    """

    def __init__(
        self,
        options: ConsoleOptions,
        playbook: Callable[[], Awaitable[Playbook]],
        book: ActBook,
        feeds: Feeds,
        now: Callable[[], float],
        changed: Callable[[], None],
        account: Callable[[Settings], Account],
    ) -> None:
        self._options = options
        self._playbook = playbook
        self._book = book
        self._feeds = feeds
        self._now = now
        self._changed = changed
        self._account = account
        self._gates: dict[Place, Gate] = {}
        self._making = asyncio.Lock()

    async def table(self) -> dict[str, Mitigation]:
        """The mitigations; imported in a thread when first asked for. Raises SettingsError for a wrong runbook."""
        return await asyncio.to_thread(_table, await self._playbook())

    def known(self, view: View | None) -> Gate | None:
        """The gate of what is in view, if it was made already."""
        return self._gates.get(_place(view)) if view is not None else None

    async def of(self, view: View) -> Gate:
        """The gate of what is in view. Raises `ConfigError`, `CredentialFailed`."""
        async with self._making:
            place = _place(view)
            if place not in self._gates:
                self._gates[place] = await self._make(view)
            return self._gates[place]

    async def _make(self, view: View) -> Gate:
        from probes.cluster import Cluster
        from runbook.gate import Gate
        from runbook.helm import find
        from tui.outside import outside_of

        table = await self.table()
        # A connection of its own: the session's ends when the person looks elsewhere.
        cluster = await Cluster.connect(view.kubeconfig, view.context)
        globs = view.settings.cluster.production

        def production(namespace: str) -> bool:
            where = (namespace,) if namespace else ()
            word = environment(globs, context=cluster.context, namespaces=where, server=cluster.server)
            return word is Environment.PRODUCTION

        gate = Gate(
            cluster,
            self._book,
            table,
            await self._playbook(),
            latest=lambda: self._feeds.latest,
            production=production,
            read_only=self._options.read_only,
            helm=find(view.settings.tools.helm),
            outside=outside_of(view.settings, lender=partial(self._account, view.settings)),
            began=lambda: self._book.began,
            changed=self._changed,
            now=self._now,
        )
        gate.prepare()
        return gate

    @property
    def acts(self) -> list[Act]:
        """Every act of this console, oldest first."""
        acts = [act for gate in self._gates.values() for act in gate.acts.values()]
        return sorted(acts, key=lambda act: act.began_at)

    async def close(self) -> None:
        await asyncio.gather(*(gate.close() for gate in self._gates.values()), return_exceptions=True)


def _place(view: View) -> Place:
    return view.kubeconfig, view.context


def _table(playbook: Playbook) -> dict[str, Mitigation]:
    from runbook.mitigations import table_of

    return table_of(playbook)
