"""The checks of ``warroom doctor``: each names what it found, and what to do when that is not enough."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.errors import ProbeError
from probes.freshness import Snapshot, State
from tui import mitigation_checks, paths, runbook_checks
from tui.check import Check, Level

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from probes.rows import Endpoint
    from runbook.mitigation import Mitigation
    from runbook.playbook import Playbook
    from runbook.response_file import Runbook
    from tui.options import ConsoleOptions

log = logging.getLogger(__name__)

TOOL_SECONDS = 5.0
NO_AZ = "az login is the simplest way into Azure: install the Azure CLI, or use a workload's or a managed identity"
# Without these the console shows nothing worth opening it for; without the others a pane says what it lacks.
NEEDED = frozenset({"pods", "workloads", "events"})


async def examine(options: ConsoleOptions, limit: float) -> list[Check]:
    """Every check, in the order of the report. Slow ones run at the same time, each with a limit."""
    async with asyncio.TaskGroup() as tasks:
        store = tasks.create_task(_store(options.store))
        tools = [
            tasks.create_task(_tool("git", ("--version",), "the commits need it: install git")),
            tasks.create_task(
                _tool("kubectl", ("version", "--client"), "only commands of a runbook file need it: install kubectl")
            ),
            tasks.create_task(_helm(options.settings.tools.helm)),
        ]
        if options.settings.azure.configured and not options.settings.azure.token_file:
            tools.append(tasks.create_task(_tool("az", ("version", "--output", "tsv"), NO_AZ)))
        runbook = tasks.create_task(asyncio.to_thread(runbook_checks.read, options))

        async def acts(cluster: Cluster, namespaces: Sequence[str]) -> list[Check]:
            read, _ = await runbook
            programs = {check.name: check for check in await asyncio.gather(*tools)}
            table = await asyncio.to_thread(_table, read.playbook if read else options.playbook)
            here = {name: each for name, each in table.items() if each.place == "cluster"}
            return await mitigation_checks.check(here, cluster, namespaces, programs, read_only=options.read_only)

        async def outside() -> list[Check]:
            if not (options.settings.azure.configured or options.settings.sql.configured):
                return []
            from tui import outside_checks

            read, _ = await runbook
            table = await asyncio.to_thread(_table, read.playbook if read else options.playbook)
            return await outside_checks.check(table, options.settings, limit, read_only=options.read_only)

        cluster = tasks.create_task(_cluster(options, limit, acts))
        beside = tasks.create_task(outside())
    return [
        _settings(options),
        *await _keys(options, runbook.result()[0]),
        *runbook.result()[1],
        *cluster.result(),
        *beside.result(),
        *_variables(options),
        store.result(),
        _log_file(options.log_file),
        *(tool.result() for tool in tools),
        _terminal(),
    ]


def _settings(options: ConsoleOptions) -> Check:
    path = options.settings.path
    if path is None:
        return Check("settings", Level.OK, f"no file at {paths.settings_file()}: defaults")
    return Check("settings", Level.OK, str(path))


async def _keys(options: ConsoleOptions, read: Runbook | None) -> list[Check]:
    """What is wrong with the settings' ``[keys]``: a console would refuse to open over it."""
    if not options.settings.keys:
        return []
    from tui.keys import KeymapError, act_keys, checked_keymap

    table = await asyncio.to_thread(_table, read.playbook if read else options.playbook)
    try:
        checked_keymap(options.settings.keys, act_keys(table.values()))
    except KeymapError as error:
        return [Check("keys", Level.MISSING, str(error), f"correct {options.settings.path}")]
    return []


def _variables(options: ConsoleOptions) -> list[Check]:
    return [
        Check("endpoints", Level.WARN, sentence, "set it where warroom is started")
        for sentence in options.settings.missing_variables()
    ]


async def _cluster(
    options: ConsoleOptions, limit: float, acts: Callable[[Cluster, Sequence[str]], Awaitable[list[Check]]]
) -> list[Check]:
    """The kubeconfig, the server, every probe by really looking once, what would be refused later, and the ``acts``."""
    from probes.cluster import Cluster
    from tui.look import look_at

    try:
        cluster = await Cluster.connect(options.kubeconfig, options.context)
    except ProbeError as error:
        return [Check("kubeconfig", Level.MISSING, str(error), error.hint or "pass --kubeconfig or --context")]
    try:
        seen = await look_at(cluster, options, limit)
        denied = await _denied(cluster, seen.namespaces) if seen.version else {}
        mitigations = await acts(cluster, seen.namespaces) if seen.version else []
    finally:
        await cluster.close()
    where = ", ".join(seen.namespaces) or "all namespaces"
    checks = [Check("kubeconfig", Level.OK, f"context {seen.context}, user {cluster.user or 'none'}, {where}")]
    if seen.version:
        checks.append(Check("cluster", Level.OK, f"{seen.server} answers, {seen.version}"))
    else:
        freshness = seen.pods.freshness
        advice = freshness.hint or f"is it up, and is the way there open? curl -k {seen.server}/version"
        checks.append(Check("cluster", Level.MISSING, freshness.detail or f"{seen.server} does not answer", advice))
    unconfigured = {
        "endpoints": not options.settings.endpoints,
        "commits": not options.settings.git.checkout,
    }
    for snapshot in seen.snapshots:
        if unconfigured.get(snapshot.source):
            checks.append(Check(snapshot.source, Level.OK, snapshot.freshness.detail, snapshot.freshness.hint))
        elif snapshot is seen.endpoints and snapshot.freshness.live:
            checks += [_endpoint(endpoint) for endpoint in seen.endpoints.rows.values()]
        else:
            checks.append(_probe(snapshot, denied.get(snapshot.source, [])))
    if "logs" in denied:
        checks.append(Check("logs", Level.WARN, *_refusal(denied["logs"])))
    elif seen.version:
        checks.append(Check("logs", Level.OK, "allowed to read pods' logs"))
    return checks + mitigations


def _probe(snapshot: Snapshot[Any], denied: Sequence[str]) -> Check:
    freshness = snapshot.freshness
    bad = Level.MISSING if snapshot.source in NEEDED else Level.WARN
    if freshness.state is not State.LIVE:
        advice = freshness.hint
        if freshness.state is State.FORBIDDEN and not advice:
            advice = "ask for a role with get, list and watch on it"
        return Check(snapshot.source, bad, freshness.detail or freshness.state.value, advice)
    if denied:
        return Check(snapshot.source, bad, *_refusal(denied))
    return Check(snapshot.source, Level.OK, f"{len(snapshot.rows)} read")


def _endpoint(endpoint: Endpoint) -> Check:
    """An endpoint that is down is what the console is there to show, so it is never something missing."""
    if endpoint.ok:
        return Check(
            "endpoints", Level.OK, f"{endpoint.name} answers {endpoint.status} in {endpoint.latency_ms:.0f} ms"
        )
    return Check("endpoints", Level.WARN, f"{endpoint.name}: {endpoint.error}", f"curl -v {endpoint.url}")


def _refusal(denied: Sequence[str]) -> tuple[str, str]:
    return f"not allowed to {', '.join(denied)}", "ask for a role with get, list and watch on it"


async def _denied(cluster: Cluster, namespaces: Sequence[str]) -> dict[str, list[str]]:
    from tui.permissions import denied

    try:
        return await denied(cluster, namespaces)
    except ProbeError as error:
        # Not every server answers reviews; the looks above say what can really be read.
        log.warning("no access review: %s", error)
        return {}


async def _store(path: Path) -> Check:
    """Opening the store creates it, migrates it and proves that it can be written."""
    from incident.errors import StoreError
    from incident.schema import STEPS
    from incident.store import Store

    try:
        store = await Store.open(path)
        try:
            count = len(await store.incidents())
        finally:
            await store.close()
    except StoreError as error:
        return Check("store", Level.MISSING, str(error), "choose another with --store, or make room for it")
    return Check("store", Level.OK, f"{path}, schema {len(STEPS)}, {count} incident{'' if count == 1 else 's'}")


def _log_file(path: Path | None) -> Check:
    if path is None:
        return Check("log file", Level.WARN, f"cannot be written: {paths.log_file()}", "make its directory writable")
    return Check("log file", Level.OK, str(path))


def _table(playbook: Playbook) -> dict[str, Mitigation]:
    from runbook.mitigations import table_of

    return table_of(playbook)


async def _helm(configured: Sequence[str]) -> Check:
    """The Helm that a rollback would start: what the settings name, or the one on PATH."""
    from runbook.helm import NAME, Helm, NoHelm, find

    helm = Helm(find(configured))
    try:
        version = await helm.version()
    except NoHelm as error:
        return Check(NAME, Level.WARN, str(error), error.hint)
    finally:
        await helm.close()
    where = " ".join(helm.command)
    if not version.known:
        return Check(NAME, Level.WARN, f"{version} ({where}) is newer than what is known here", "use Helm 3 or 4")
    return Check(NAME, Level.OK, f"{version} ({where})")


async def _tool(name: str, arguments: Sequence[str], without: str) -> Check:
    """What a program on PATH says its version is. It gets no terminal, no cluster and little time."""
    found = shutil.which(name)
    if found is None:
        return Check(name, Level.WARN, "not on PATH", without)
    process = await asyncio.create_subprocess_exec(
        found,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(TOOL_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Check(name, Level.WARN, f"{found} gave no version within {TOOL_SECONDS:g} s", without)
    lines = said.decode(errors="replace").strip().splitlines()
    if process.returncode != 0 or not lines:
        return Check(name, Level.WARN, f"{found} ended with status {process.returncode}", without)
    return Check(name, Level.OK, f"{lines[0]} ({found})")


def _terminal() -> Check:
    """Size, colours, and what copying needs. Only the environment is read: a question could hang a dumb terminal."""
    if not sys.stdout.isatty():
        return Check("terminal", Level.OK, "none here; the console needs one, the other commands do not")
    term, size = os.environ.get("TERM", ""), shutil.get_terminal_size()
    colors = "true colour" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "256 colours or fewer"
    if os.environ.get("NO_COLOR"):
        colors = "no colours (NO_COLOR)"
    said = f"{term or 'TERM is not set'}, {size.columns}×{size.lines}, {colors}; copying uses OSC 52"
    if not term or term == "dumb":
        return Check("terminal", Level.WARN, said, "the console cannot draw here: set TERM")
    if size.columns < 80 or size.lines < 24:
        return Check("terminal", Level.WARN, said, "make it at least 80×24; 200×55 shows everything at once")
    if os.environ.get("TMUX"):
        return Check("terminal", Level.OK, said, "for copying through tmux: set -g set-clipboard on")
    return Check("terminal", Level.OK, said)
