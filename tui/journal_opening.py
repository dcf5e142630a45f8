"""Which store the console's entries go to: its own, a recovered one, or a rescue store beside one that is of no use."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from incident.errors import StoreFault
from incident.recorder import Recorder
from incident.recovery import open_or_recover

log = logging.getLogger(__name__)


async def recorder_for(path: Path, clock: Callable[[], int]) -> tuple[Recorder, str, str]:
    """The store to write to; why it is not the console's own; and what became of that. Empty texts if all is well.

    Raises:
        StoreFault: not even a rescue store can be written; its sentence says why and what was not lost.
    """
    try:
        recorder, recovery = await open_or_recover(path, clock=clock)
    except StoreFault as fault:
        log.error("%s", fault)
        recorder, rescue = await _rescue(path, clock, fault)
        return recorder, f"{fault} Entries go to {rescue} meanwhile.", ""
    if recovery is not None:
        return recorder, "", recovery.sentence
    copy = recorder.store.copied_to
    return recorder, "", f"{path} was brought up to date; as it was before, it is kept as {copy}." if copy else ""


async def _rescue(path: Path, clock: Callable[[], int], fault: StoreFault) -> tuple[Recorder, Path]:
    """A store beside the broken one, or else in a private directory for temporary files."""
    beside = path.with_name(f"{path.stem}-rescue.db")
    elsewhere = Path(tempfile.gettempdir()) / f"warroom-{os.getuid()}" / "rescue.db"
    for rescue in (beside, elsewhere):
        try:
            return await Recorder.open(rescue, clock=clock), rescue
        except StoreFault as error:
            log.error("no rescue store at %s: %s", rescue, error)
    raise fault
