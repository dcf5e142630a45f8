"""Redacted copies of logs: what spans several lines, what never ends, and what is too long to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.redact import REDACTED
from runbook.evidence_folder import ORIGINAL, EvidenceFile, safe_name
from runbook.evidence_redaction import MOST_LINE, LineRedactor, LogRedaction

STAMP = "2026-11-23T14:02:42.000000001Z "
MATERIAL = "MIIEpAIBAAKCAQEA7bq8qW3tYh5f9Jk2LmN0pQrS"
KEY = [
    f"{STAMP}-----BEGIN PRIVATE KEY-----\n",
    f"{STAMP}{MATERIAL}\n",
    f"{STAMP}{MATERIAL[::-1]}\n",
    f"{STAMP}-----END PRIVATE KEY-----\n",
]


def redacted(lines: list[str]) -> list[str]:
    redactor = LineRedactor()
    return [redactor.line(line) for line in lines]


def copied(directory: Path, text: bytes) -> bytes:
    (directory / "log").write_bytes(text)
    copy = EvidenceFile(directory, f"{ORIGINAL}/copy")
    with (directory / "log").open("rb") as source:
        work = LogRedaction(source, copy)
        while work.step(1000):
            pass
    copy.close()
    return (directory / ORIGINAL / "copy").read_bytes()


def test_a_private_key_over_several_lines_is_gone_and_the_times_stay() -> None:
    lines = redacted(["before\n", *KEY, "after\n"])
    assert lines[0] == "before\n"
    assert lines[-1] == "after\n"
    assert all(line.startswith(STAMP) and line.endswith("\n") and REDACTED in line for line in lines[1:-1])
    assert not any(MATERIAL in line or MATERIAL[::-1] in line for line in lines)


def test_a_key_whose_end_was_lost_does_not_hide_the_rest_of_the_log_for_ever() -> None:
    lines = redacted([*KEY[:2], *["trace 0a1b2c3d4e5f60718293 done\n"] * 300])
    assert lines[-1] == "trace 0a1b2c3d4e5f60718293 done\n"
    assert REDACTED in lines[10]


def test_two_keys_on_one_line_of_which_one_goes_on_are_both_gone() -> None:
    whole = f"-----BEGIN PRIVATE KEY-----{MATERIAL}-----END PRIVATE KEY-----"
    lines = redacted([f"{whole} {KEY[0]}", KEY[1], KEY[3], "after\n"])
    assert not any(MATERIAL in line for line in lines)
    assert lines[-1] == "after\n"


def test_what_holds_no_secret_is_copied_byte_for_byte(tmp_path: Path) -> None:
    text = b"one\r\ntwo \xff\x00\n\n" + b"x" * 5000 + b"\nno end of line"
    assert copied(tmp_path, text) == text


def test_a_line_too_long_to_be_looked_at_is_left_out_visibly(tmp_path: Path) -> None:
    long = b"x" * (2 * MOST_LINE) + b" password=hunter2"
    copy = copied(tmp_path, b"before\n" + long + b"\nafter\n")
    assert b"hunter2" not in copy
    assert copy.startswith(b"before\n" + REDACTED.encode())
    assert f"a line of {len(long) + 1:,} bytes".encode() in copy
    assert copy.endswith(b"\nafter\n")


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "../x", "-rf", "a\0b", "ü", "x" * 300, ".hidden", "a\nb"])
def test_a_name_from_anywhere_becomes_one_part_of_a_path(text: str) -> None:
    name = safe_name(text)
    assert name == Path(name).name
    assert name.isascii()
    assert 0 < len(name) < 120
    assert not name.startswith((".", "-"))


def test_good_names_stay_and_different_ones_stay_different() -> None:
    assert safe_name("payment-service-6cdd5cb5bd-fbcxw") == "payment-service-6cdd5cb5bd-fbcxw"
    assert len({safe_name(text) for text in ("a/b", "a_b", "a:b", "a b")}) == 4
