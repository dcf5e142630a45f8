"""What the command line decided: the settings with the flags laid over them. Every command starts from this."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from runbook.playbook import Playbook
from tui import logfile
from tui.settings import ALL_NAMESPACES, Settings, SettingsError

if TYPE_CHECKING:
    import argparse

    from runbook.response_file import Runbook
    from tui.drill_joined import JoinedDrill
    from tui.drill_process import DrillProcess, DrillReady

DRILL_RUNBOOK = "banking-platform"


class ConsoleOptions(Struct, frozen=True):
    """Where to look, and how.

    ``kubeconfig``, ``context`` None means the usual: KUBECONFIG or ~/.kube/config, and its current context.
    ``namespaces``  empty: the context's own; ``("*",)``: all. `scope` turns them into names.
    ``store``       the timeline's database; ``log_file`` the program's own log, None if it cannot be written.
    ``runbook``     the runbook file as it was named; empty for the neutral one, which ships. See `read_runbook`.
    ``playbook``    how mitigations are carried out where no file says it.
    ``drill``       the embedded platform, started and not yet waited for. What its `ready()` says goes to
                    `on_platform`, which gives the options that the console then looks with.
    ``undeclared``  a drill's incident is not declared when its platform serves: who practises does that.
    """

    settings: Settings
    kubeconfig: str | None
    context: str | None
    namespaces: tuple[str, ...]
    store: Path
    log_file: Path | None
    read_only: bool = False
    no_color: bool = False
    drill: DrillProcess | JoinedDrill | None = None
    undeclared: bool = False
    runbook: str = ""
    playbook: Playbook = field(default_factory=Playbook)

    def scope(self, context_namespace: str) -> tuple[str, ...]:
        """The namespaces to look at, empty for all, as `probes.cluster.Scope` wants them."""
        if self.namespaces == ALL_NAMESPACES:
            return ()
        return self.namespaces or (context_namespace,)

    def read_runbook(self, *, compiled: bool = False) -> Runbook:
        """The runbook in force, read from its file and checked, which takes 20 ms. Raises SettingsError.

        With ``compiled`` its templates are checked too, which takes 200 ms more.
        """
        from msgspec.structs import replace as instead

        from runbook import playbook_file, response_file

        path = playbook_file.find(self.runbook) if self.runbook else response_file.NEUTRAL
        try:
            runbook = response_file.load(path, compiled=compiled)
        except playbook_file.PlaybookError as error:
            raise SettingsError(str(error)) from error
        return runbook if self.runbook else instead(runbook, playbook=self.playbook)

    def on_platform(self, ready: DrillReady) -> ConsoleOptions:
        """These options, looking at a drill's platform. Raises SettingsError if its settings file is wrong."""
        settings = self.settings.with_platform(Settings.load(ready.config), ready.context)
        return replace(
            self,
            settings=settings,
            kubeconfig=str(ready.kubeconfig),
            context=settings.cluster.context or None,
            namespaces=self.namespaces or settings.cluster.namespaces,
        )


def from_arguments(arguments: argparse.Namespace, drill: DrillProcess | JoinedDrill | None = None) -> ConsoleOptions:
    """Load the settings, open the log file. Raises SettingsError.

    In a drill neither the settings' cluster nor their namespaces nor runbook count: the platform has its own.
    """
    settings = Settings.load(Path(arguments.config).expanduser() if arguments.config else None)
    cluster = settings.cluster
    return ConsoleOptions(
        settings=settings,
        kubeconfig=arguments.kubeconfig or cluster.kubeconfig or None,
        context=arguments.context or cluster.context or None,
        namespaces=_namespaces(arguments) or (() if drill else cluster.namespaces),
        store=Path(arguments.store).expanduser() if arguments.store else settings.store,
        log_file=_log_file(),
        read_only=arguments.read_only,
        no_color=arguments.no_color or bool(os.environ.get("NO_COLOR")),
        drill=drill,
        undeclared=getattr(arguments, "undeclared", False)
        or getattr(arguments, "surprise", False)
        or (drill is not None and drill.shared),
        runbook=arguments.runbook or (DRILL_RUNBOOK if drill else settings.runbook.file),
    )


def _namespaces(arguments: argparse.Namespace) -> tuple[str, ...]:
    if arguments.all_namespaces or arguments.namespace == ["*"]:
        return ALL_NAMESPACES
    return tuple(dict.fromkeys(arguments.namespace))


def _log_file() -> Path | None:
    try:
        return logfile.install()
    except OSError as error:
        from tui.sentences import say

        # Looking at a broken platform matters more than a log about ourselves.
        logging.getLogger().addHandler(logging.NullHandler())
        say(f"cannot write the log file, going on without: {error}")
        return None
