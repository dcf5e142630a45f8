"""The program helm, in both major versions that are in use: where it is, which one it is, and how it is called.

Nothing here writes: `Helm` asks the program its version and builds argument lists; who starts them is `runbook.hands`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence

from msgspec import Struct

from runbook.errors import MitigationError

NAME = "helm"
INSTALL = "install Helm 3 or 4 (https://helm.sh/docs/intro/install), or name it in the settings: [tools] helm"
ANSWER = 10.0  # seconds for its version; the first call after a boot reads 60 MB from the disk
KNOWN = (3, 4)  # major versions

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})[\w.+-]{0,60}")
_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_RELEASE = 53
# Of the environment, what would lead helm to another cluster, namespace or storage than the plan's.
_MISLEADING = ("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER", "HELM_DEBUG")


class NoHelm(MitigationError):
    """There is none, or it cannot be used; ``hint`` says how to get one."""


class Version(Struct, frozen=True):
    text: str
    major: int

    @property
    def known(self) -> bool:
        return self.major in KNOWN

    def __str__(self) -> str:
        return f"helm {self.text}"


class Helm:
    """One helm. ``command`` is how it is called, empty when there is none."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self.command = tuple(command)
        self._asking: asyncio.Task[Version | NoHelm] | None = None

    async def version(self) -> Version:
        """Which one it is; asked once, and again only after it failed. Raises `NoHelm`."""
        answer = await asyncio.shield(self.ask())
        if isinstance(answer, NoHelm):
            raise answer
        return answer

    def ask(self) -> asyncio.Task[Version | NoHelm]:
        """Begin to ask, so that nobody waits later: a program of 100 MB takes a second to start for the first time."""
        asking = self._asking
        if asking is None or (asking.done() and (asking.cancelled() or isinstance(asking.result(), NoHelm))):
            self._asking = asking = asyncio.create_task(_asked(self.command), name="helm version")
        return asking

    async def close(self) -> None:
        """Nobody waits for an answer any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def rollback(
        self,
        release: str,
        revision: int,
        namespace: str,
        *,
        timeout: float,
        context: str = "",
        kubeconfig: str | None = None,
        force_conflicts: bool = False,
    ) -> list[str]:
        """The argument list of ``helm rollback``; ``timeout`` seconds is how long it waits for the pods.

        There is no ``--description`` for this command in either version. Raises ValueError for what is no release.
        """
        if not is_release_name(release) or revision < 1:
            raise ValueError(f"no release revision: {release!r} {revision}")
        command = [*(self.command or (NAME,)), "rollback", release, str(revision), "--namespace", namespace]
        # Alone it is a plain flag for Helm 3, and for Helm 4 the strategy that watches.
        command += ["--wait", "--timeout", duration(timeout)]
        if force_conflicts:
            command.append("--force-conflicts")
        if context:
            command += ["--kube-context", context]
        if kubeconfig:
            command += ["--kubeconfig", kubeconfig]
        return command


def find(configured: Sequence[str] = ()) -> tuple[str, ...]:
    """The command that is Helm: what the settings name, or the one on PATH; empty when there is none."""
    if configured:
        return tuple(configured)
    found = shutil.which(NAME)
    return (found,) if found else ()


def environment(ours: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for helm: ours, without what would have it act elsewhere than its arguments say."""
    base = os.environ if ours is None else ours
    kept = {key: value for key, value in base.items() if not key.startswith(_MISLEADING)}
    return kept | {"HELM_DRIVER": "secret"}


def is_release_name(name: str) -> bool:
    """Whether Helm would take it (pkg/chart/common/util/validate_name.go); an annotation may hold anything."""
    return len(name) <= _LONGEST_RELEASE and _RELEASE.fullmatch(name) is not None


def duration(seconds: float) -> str:
    """As Go writes it: ``5m0s``, ``45s``."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


async def _asked(command: Sequence[str]) -> Version | NoHelm:
    try:
        return await _version_of(command)
    except NoHelm as error:
        return error


async def _version_of(command: Sequence[str]) -> Version:
    if not command:
        raise NoHelm("there is no helm on this machine", INSTALL)
    program = command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            "version",
            "--template",
            "{{.Version}}",
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise NoHelm(f"{program} cannot be started: {error.strerror or error}", INSTALL) from error
    except ValueError as error:
        raise NoHelm(f"{program!r} cannot be started: {error}", INSTALL) from error
    try:
        async with asyncio.timeout(ANSWER):
            out, err = await process.communicate()
    except TimeoutError:
        raise NoHelm(f"{program} did not tell its version within {ANSWER:g} s", INSTALL) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    said = out.decode("utf-8", "replace").strip()
    found = _VERSION.fullmatch(said)
    if process.returncode != 0 or found is None:
        words = " ".join((err.decode("utf-8", "replace") or said).split())[:200]
        raise NoHelm(f"{program} does not say which version it is: {words or 'it says nothing'}", INSTALL)
    version = Version(said, int(found[1]))
    if version.major < KNOWN[0]:
        raise NoHelm(f"{version} is too old: it does not know releases that are kept in Secrets", INSTALL)
    return version
