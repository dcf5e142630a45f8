"""What a run of curl in a container came to, in one sentence: what it found, or why there was no check at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from runbook.plan import Verdict

if TYPE_CHECKING:
    from runbook.exec_stream import Ran

# https://everything.curl.dev/cmdline/exitcode.html
MEANINGS = {
    3: "the URL is not well-formed",
    5: "the proxy's name does not resolve",
    6: "the name does not resolve",
    7: "cannot connect",
    16: "HTTP/2 went wrong",
    28: "timed out",
    35: "TLS failed",
    47: "too many redirects",
    51: "the certificate is for another name",
    52: "it hung up without an answer",
    55: "the connection broke while it was asked",
    56: "the connection broke while it answered",
    58: "the client certificate cannot be used",
    60: "its certificate is not trusted",
    77: "the authorities to trust cannot be read",
    92: "HTTP/2 went wrong",
    97: "the proxy refused",
}
WRITE_OUT = r"\nHTTP %{http_code} after %{time_total} s\n"  # curl itself makes line ends of it

_WRITTEN = re.compile(r"\nHTTP (\d{3}) after (\d{1,9}[.,]\d{1,9}) s\n\Z")
_STATUS = re.compile(r"^< HTTP/[\d.]+ (\d{3})", re.MULTILINE)
_COMPLAINT = re.compile(r"^curl: \((\d+)\) (.{1,400})", re.MULTILINE)
_NO_PROGRAM = ("executable file not found", "no such file or directory", "not found in $path", "cannot find the file")
_NO_CONTAINER = ("container not found", "not created or running", "not running", "container is in state")
_NO_CURL = (126, 127)  # a shell's, and some runtimes', for what they cannot start
_KILLED = (137, 143)
_CANNOT = {
    1: "this curl cannot speak that protocol",
    2: "this curl does not understand the command",
    4: "this curl is too small",
}


class Found(Struct, frozen=True):
    """``no_curl`` says that the container has none."""

    verdict: Verdict
    text: str
    no_curl: bool = False


def found_by(ran: Ran, *, host: str, container: str, limit: float) -> Found:
    """The verdict is about the check: `WORKED` when it ran, whatever it found."""
    code = ran.code
    if code is None:
        return _unended(ran, container, limit)
    if code in _NO_CURL:
        return Found(Verdict.FAILED, f"there is no curl in container {container} (exit {code})", True)
    if code in _KILLED:
        return Found(Verdict.FAILED, f"the check was killed (exit {code}): the container ended, or had no memory left")
    complaint = _complaint(ran)
    if code in _CANNOT:
        return Found(Verdict.FAILED, f"the check could not run: {_CANNOT[code]} (curl {code}{_said(complaint)})")
    status, seconds = _written(ran)
    if code == 0:
        return Found(Verdict.WORKED, f"{host} answered {status or 'something that is not HTTP'} in {spoken(seconds)}")
    meaning = MEANINGS.get(code, "it failed")
    after = f" after an HTTP {status}" if status else ""
    return Found(Verdict.WORKED, f"{host}: {meaning}{after} in {spoken(seconds)} (curl {code}{_said(complaint)})")


def _unended(ran: Ran, container: str, limit: float) -> Found:
    if ran.cut:
        text = f"the check did not end within {limit:g} s; nobody listens to it any more"
        return Found(Verdict.FAILED, text)
    if not ran.error:
        return Found(Verdict.UNKNOWN, "the connection to the server broke before the check ended")
    words = ran.error.lower()
    if any(word in words for word in _NO_PROGRAM):
        return Found(Verdict.FAILED, f"there is no curl in container {container}", True)
    if any(word in words for word in _NO_CONTAINER):
        return Found(Verdict.FAILED, f"container {container} does not run any more")
    return Found(Verdict.FAILED, f"the check could not run: {' '.join(ran.error.split())[:300]}")


def _complaint(ran: Ran) -> str:
    found = [text for _, text in _COMPLAINT.findall(ran.stderr)]
    return " ".join(found[-1].split()) if found else ""


def _said(complaint: str) -> str:
    return f": {complaint}" if complaint else ""


def _written(ran: Ran) -> tuple[str, float]:
    """The HTTP status, empty for none, and the seconds: as curl wrote them at its end, or as far as they were seen."""
    written = _WRITTEN.search(ran.stdout)
    if written is not None:
        return written[1].replace("000", ""), float(written[2].replace(",", "."))
    seen = _STATUS.findall(ran.stderr)
    return (seen[-1] if seen else ""), ran.seconds


def spoken(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
