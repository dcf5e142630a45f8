"""Captures in a process of its own, which can be given less than others: ``python -m … PORT DIRECTORY BYTES DISK``.

BYTES is how large its files may grow (0: as they like), DISK the size of a disk of its own below DIRECTORY, like
``80m`` (empty: everybody's). Prints the verdict and what was kept as JSON; exits with 77 where there can be no disk.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from pathlib import Path

from runbook.evidence_folder import check_folder
from tests.faults.evidence_server import capturing

NO_DISK = 77


async def main(port: int, directory: Path) -> None:
    async with capturing(port, directory) as at:
        folder, outcome = await at.captured()
    checked = check_folder(folder)
    kept = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    sound = checked.sealed and not checked.wrong
    said = {"folder": str(folder), "verdict": str(outcome.verdict), "text": outcome.text}
    print(json.dumps({**said, "kept": kept, "sound": sound}))


if __name__ == "__main__":
    _, port, directory, most, disk = sys.argv
    if int(most):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    if disk:
        state = Path(directory) / "state"
        state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={disk},mode=0700", "tmpfs", str(state)]
        if subprocess.run(mount, check=False).returncode:
            sys.exit(NO_DISK)
    asyncio.run(main(int(port), Path(directory)))
