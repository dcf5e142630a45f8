"""The review in HTML: a real browser finds no script to run and nothing to load, whatever the incident's texts are."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from incident.dossier import dossier
from incident.export import render
from incident.html_review import rendered, to_html
from incident.kept import Kept, Sign
from incident.svg_chart import scale_of
from incident.svg_chart import timeline as drawn
from tests.unit.hostile_incident import hostile_dossier
from tests.unit.incident_entries import BEGAN, incident_with, note

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OURS = {
    "html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "h3", "p", "dl", "dt", "dd", "ul", "ol", "li",
    "table", "thead", "tbody", "tr", "th", "td", "br", "pre", "code", "s", "strong", "em", "a", "figure", "figcaption",
    "img", "svg", "g", "path", "line", "text", "circle", "rect", "hr", "blockquote",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check(page: str) -> None:
    for tag, attributes in Elements(page).found:
        assert tag in OURS, tag
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset", "srcdoc")]
        assert (attributes.get("src") or "data:").startswith("data:image/svg+xml;base64,"[:5])
        if tag == "a":
            assert (attributes.get("href") or "").startswith(("http://", "https://", "mailto:", "#"))


@asynccontextmanager
async def listening(seen: list[str]) -> AsyncIterator[str]:
    """A server on loopback that notes the first line of whatever comes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readline()).decode("latin-1"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def browser(directory: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--virtual-time-budget=2000", f"--user-data-dir={directory / 'profile'}", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


def test_hostile_text_everywhere_makes_no_element_and_no_attribute_of_its_own() -> None:
    page = to_html(hostile_dossier("http://127.0.0.1:9", drill=True))

    check(page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy.group(1)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
async def test_a_browser_runs_nothing_and_asks_nobody(tmp_path: Path) -> None:
    seen: list[str] = []
    async with listening(seen) as url:
        page = tmp_path / "review.html"
        page.write_bytes(render("html", hostile_dossier(url)))
        dom = await browser(tmp_path, "--dump-dom", page.as_uri())
        await browser(tmp_path, f"--print-to-pdf={tmp_path / 'review.pdf'}", page.as_uri())
        asked = list(seen)
        page.write_text(f"<img src={url}/control>")
        await browser(tmp_path, "--dump-dom", page.as_uri())

    assert asked == []
    assert "/control" in seen[0]  # this browser does ask
    check(dom)
    assert "OWNED</title>" not in dom
    assert "Post-Incident Review: INC-20261123-1406-7kq2" in dom
    assert (tmp_path / "review.pdf").read_bytes().startswith(b"%PDF")


def test_the_style_is_the_one_that_the_policy_allows() -> None:
    page = to_html(hostile_dossier("http://127.0.0.1:9"))
    style = page.split("<style>")[1].split("</style>")[0]

    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in page


def test_peoples_markdown_is_rendered_without_html_images_or_scripts() -> None:
    html = rendered(
        "**bold** <b>raw</b> ![x](http://evil/i.png) [l](javascript:alert(1))\n\n- [x] done\n\n| a |\n|---|\n"
    )

    assert "<strong>bold</strong>" in html
    assert "&lt;b&gt;raw" in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "☑ done" in html
    assert "<table>" in html


def test_the_timeline_is_drawn_to_scale_and_says_what_lies_outside() -> None:
    minute = 60_000
    incident, entries = incident_with(
        [
            note("weeks ago", happened_at=BEGAN - 30 * 24 * 60 * minute),
            note("in the middle", happened_at=BEGAN + 50 * minute),
            note("end", happened_at=BEGAN + 100 * minute),
        ]
    )
    found = dossier(replace(incident, resolved_at=BEGAN + 100 * minute), entries)
    scale = scale_of(found)
    page = to_html(found)

    assert scale.x(BEGAN + 50 * minute) == pytest.approx(
        (scale.x(found.began) + scale.x(BEGAN + 100 * minute)) / 2, abs=1
    )
    assert drawn(found, scale)[1] == 1
    assert "Outside of it: 1 entries" in page


def test_however_long_it_took_the_axis_has_few_ticks() -> None:
    incident, entries = incident_with([note("x")])
    for began, resolved in ((0, 253_402_300_799_000), (BEGAN, BEGAN), (BEGAN, BEGAN + 21 * 86_400_000)):
        times = {"began": began}
        page = to_html(dossier(replace(incident, times=times, resolved_at=resolved), entries))
        assert page.count('text-anchor="middle"') <= 12


def test_charts_are_of_what_was_sampled_and_else_of_what_probes_wrote() -> None:
    found = hostile_dossier("http://127.0.0.1:9")
    sampled = to_html(found)
    derived = to_html(dossier(found.incident, found.entries))
    nothing = to_html(dossier(*incident_with([])))

    assert "counted by the console" in sampled
    assert "the hash chain does not cover them" in sampled
    assert "the hash chain does not cover them" not in derived
    assert "CPU of the nodes" in sampled
    assert "from what the probes wrote" in derived
    assert "The usage of nodes was not recorded." in derived
    assert "Nothing was recorded about how many pods" in nothing


def test_fifty_thousand_samples_are_drawn_with_their_peak() -> None:
    incident, entries = incident_with([])
    signs = [Sign(BEGAN + n * 1000, 7 if n == 31_234 else 1, 40) for n in range(50_000)]
    page = to_html(dossier(replace(incident, resolved_at=BEGAN + 50_000_000), entries, kept=Kept(signs)))

    assert "at most 7" in page
    assert len(page) < 100_000


def test_a_drill_is_marked_on_every_page() -> None:
    incident, entries = incident_with([], drill=True)
    page = to_html(dossier(incident, entries))

    assert '<div class="drill"' in page
    assert page.count("DRILL. This was an exercise") == 2
    assert "<title>Post-Incident Review: INC-20261123-1406-7kq2 (DRILL)</title>" in page
    assert ">DRILL<" not in to_html(dossier(*incident_with([])))


def test_the_same_dossier_gives_the_same_page() -> None:
    assert to_html(hostile_dossier("http://x")) == to_html(hostile_dossier("http://x"))
