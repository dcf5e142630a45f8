"""A bundle holds everything about an incident, the same bytes each time, and tells when any of it was changed."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.bundle import write_bundle
from incident.bundle_check import BundleError, incident_json, verify_bundle
from incident.dossier import Dossier, dossier
from incident.entry import Draft, Kind, Source
from incident.export import to_json
from incident.kept import Kept, Screen, Sign
from tests.unit.act_drafts import intent, outcome
from tests.unit.hostile_incident import hostile_dossier
from tests.unit.incident_entries import BEGAN, INCIDENT, incident_with, note


def bundle(path: Path, found: Dossier, root: Path | None = None, *, originals: bool = False) -> Path:
    with path.open("wb") as file:
        write_bundle(file, found, root, originals=originals)
    return path


def simple() -> Dossier:
    incident, entries = incident_with([note("it broke")], drill=True)
    return dossier(incident, entries, kept=Kept([Sign(BEGAN, 1, 3)], [Screen("declared", "<svg/>")]))


def preserved(folder: str) -> Dossier:
    """An incident in which evidence was preserved into ``folder``."""
    return dossier(*incident_with([intent(), outcome("e2", folder=folder)]))


def captured(root: Path, name: str = "20261123-pod", incident: str = INCIDENT) -> Path:
    folder = root / incident / name
    (folder / "redacted").mkdir(parents=True)
    (folder / "original").mkdir()
    (folder / "redacted" / "app.log").write_text("password=«redacted»\n")
    (folder / "original" / "app.log").write_text("password=hunter2\n")
    (folder / "index.json").write_text("{}\n")
    names = ("index.json", "original/app.log", "redacted/app.log")
    listed = "".join(f"{hashlib.sha256((folder / one).read_bytes()).hexdigest()}  {one}\n" for one in names)
    (folder / "MANIFEST.sha256").write_text(listed)
    return folder


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename.partition("/")[2]: archive.read(info) for info in archive.infolist()}


def test_it_holds_every_format_and_what_was_kept_and_verifies(tmp_path: Path) -> None:
    found = simple()
    path = bundle(tmp_path / "b.zip", found)
    held = contents(path)

    assert sorted(held) == [
        "CONTENTS.txt", "MANIFEST.sha256", "incident.json", "review.html", "review.md", "screens/declared.svg",
        "timeline.csv", "vital-signs.jsonl",
    ]  # fmt: skip
    assert held["incident.json"].decode() == to_json(found.incident, found.entries)
    assert b"DRILL" in held["CONTENTS.txt"]
    assert b"the hash chain does not cover them. MANIFEST.sha256 does." in held["CONTENTS.txt"]
    assert verify_bundle(path).ok
    assert incident_json(path) == to_json(found.incident, found.entries)


def test_unpacked_it_is_checked_by_sha256sum_and_its_files_are_private(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip", simple())
    with zipfile.ZipFile(path) as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100600}
        archive.extractall(tmp_path)

    tool = shutil.which("sha256sum")
    if tool is not None:
        subprocess.run([tool, "--quiet", "-c", "MANIFEST.sha256"], cwd=tmp_path / INCIDENT, check=True)


def test_the_same_incident_gives_the_same_bytes(tmp_path: Path) -> None:
    one = bundle(tmp_path / "a.zip", hostile_dossier("http://x"))
    other = bundle(tmp_path / "b.zip", hostile_dossier("http://x"))

    assert one.read_bytes() == other.read_bytes()
    assert verify_bundle(one).ok


def test_it_can_be_written_into_a_pipe() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.got += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    pipe = Pipe()
    write_bundle(pipe, simple())  # type: ignore[arg-type]

    assert zipfile.ZipFile(io.BytesIO(pipe.got)).testzip() is None


def test_evidence_is_taken_as_its_redacted_copies_unless_the_originals_are_asked_for(tmp_path: Path) -> None:
    folder = captured(tmp_path / "evidence")
    found = preserved(str(folder))
    redacted = contents(bundle(tmp_path / "r.zip", found, tmp_path / "evidence"))
    whole = contents(bundle(tmp_path / "o.zip", found, tmp_path / "evidence", originals=True))

    assert redacted["evidence/20261123-pod/redacted/app.log"] == b"password=\xc2\xabredacted\xc2\xbb\n"
    assert not [name for name, data in redacted.items() if b"hunter2" in data]
    assert b"redacted copies only" in redacted["CONTENTS.txt"]
    assert whole["evidence/20261123-pod/original/app.log"] == b"password=hunter2\n"
    assert verify_bundle(tmp_path / "o.zip").ok


def test_evidence_that_is_gone_changed_or_elsewhere_is_named_and_left_out(tmp_path: Path) -> None:
    root = tmp_path / "evidence"
    gone = preserved(str(root / INCIDENT / "gone"))
    outside = tmp_path / "private"
    shutil.copytree(captured(tmp_path / "other"), outside)
    linked = root / INCIDENT / "linked"
    linked.parent.mkdir(parents=True)
    linked.symlink_to(outside)
    changed = captured(root, "changed")
    (changed / "redacted" / "app.log").unlink()
    (changed / "redacted" / "app.log").symlink_to("/etc/hostname")
    stranger = captured(root, "20261123-pod", "INC-20261123-1500-aaaa")

    for found, said in (
        (gone, "not there any more"),
        (preserved(str(outside)), "not of this machine"),
        (preserved(f"{root}/{INCIDENT}/../../private"), "not of this machine"),
        (preserved(str(linked)), "not of this machine"),
        (preserved(str(stranger)), "not of this machine"),
        (preserved(str(changed)), "cannot be read"),
    ):
        held = contents(bundle(tmp_path / "b.zip", found, root))
        assert said in held["CONTENTS.txt"].decode()
        assert not [name for name in held if name.endswith("app.log")]
        assert verify_bundle(tmp_path / "b.zip").ok


def test_a_manifest_that_is_not_the_sealed_one_is_not_believed(tmp_path: Path) -> None:
    folder = captured(tmp_path)
    found = dossier(*incident_with([intent(), outcome("e2", folder=str(folder), manifest_sha256="0" * 64)]))

    held = contents(bundle(tmp_path / "b.zip", found, tmp_path))

    assert "not the one that was sealed" in held["CONTENTS.txt"].decode()


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    held = contents(path)
    change(held)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            archive.writestr(name if name.startswith("/") else f"{INCIDENT}/{name}", data)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held.update({"review.md": b"other"}), "review.md is not what the manifest says"),
        (lambda held: held.update({"extra.txt": b"x"}), "extra.txt is not in the manifest"),
        (lambda held: held.pop("screens/declared.svg"), "in the manifest and not in the bundle"),
        (lambda held: held.pop("incident.json"), "lacks incident.json"),
        (lambda held: held.update({"../../evil": b"x"}), "a name that no bundle has"),
        (lambda held: held.update({"/etc/evil": b"x"}), "a name that no bundle has"),
        (lambda held: held.update({"MANIFEST.sha256": b"\xff"}), "damaged"),
    ],
)
def test_whatever_was_changed_is_named(tmp_path: Path, change: Callable[[dict[str, bytes]], None], said: str) -> None:
    path = rewritten(bundle(tmp_path / "b.zip", simple()), change)

    verdict = verify_bundle(path)

    assert not verdict.ok
    assert said in verdict.reason
    with pytest.raises(BundleError):
        incident_json(path)


def test_a_broken_chain_inside_of_a_whole_bundle_names_the_entry(tmp_path: Path) -> None:
    def forge(held: dict[str, bytes]) -> None:
        held["incident.json"] = held["incident.json"].replace(b"it broke", b"it held!")
        listed = {name: hashlib.sha256(data).hexdigest() for name, data in held.items() if name != "MANIFEST.sha256"}
        held["MANIFEST.sha256"] = "".join(f"{digest}  {name}\n" for name, digest in listed.items()).encode()

    verdict = verify_bundle(rewritten(bundle(tmp_path / "b.zip", simple()), forge))

    assert not verdict.ok
    assert verdict.broken_id == "e2"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"not a zip"])
def test_what_is_no_bundle_is_called_that(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(data)

    assert not verify_bundle(path).ok


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip", simple())
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo(f"{INCIDENT}/incident.json").header_offset + 100
    for at in range(begin, begin + 200, 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        assert not verify_bundle(path).ok


def test_a_pin_is_not_taken_for_preserved_evidence(tmp_path: Path) -> None:
    captured(tmp_path)
    pin = Draft(
        text="x", author="x", source=Source.PERSON, kind=Kind.PIN,
        evidence={"outcome": {"found": {"folder": str(tmp_path / INCIDENT / "20261123-pod")}}},
    )  # fmt: skip
    found = dossier(*incident_with([pin]))

    assert not [name for name in contents(bundle(tmp_path / "b.zip", found, tmp_path)) if name.startswith("evidence/")]
