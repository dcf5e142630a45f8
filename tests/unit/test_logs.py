"""Logs against a kubelet-like server on loopback: followed through restarts and broken connections, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from probes.log_lines import MOST_TEXT, LogLine, Seen, merged, parse, pieces
from probes.logs import Inbox, LogSource, read_once
from tests.unit.loopback_api import connected, keep, refusal, serving

T = 1_800_000_000.0


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


class Run:
    """One run of a container: the lines it wrote so far, and whether it has ended."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []
        self.ended = False
        self.changed = asyncio.Event()

    def tell(self) -> None:
        """Whoever follows looks again."""
        self.changed.set()
        self.changed = asyncio.Event()


class Kubelet:
    """Answers ``/log`` as an API server with a kubelet behind it does: whole seconds in sinceTime, follow, previous."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], list[Run]] = {}
        self.gone: set[str] = set()
        self.refuse: Callable[[web.Request], web.Response | None] = lambda request: None
        self._opened = 0
        self._opening = asyncio.Condition()
        self.cut_after: int | None = None  # lines after which a followed stream breaks, once
        self.reason = "CrashLoopBackOff"
        self.final = False
        self._cut = asyncio.Event()

    def start(self, pod: str = "payment-1", container: str = "app") -> Run:
        run = Run()
        self.runs.setdefault((pod, container), []).append(run)
        return run

    async def write(self, run: Run, *texts: str, at: float) -> None:
        run.lines += [(at, text) for text in texts]
        run.tell()

    async def end(self, run: Run) -> None:
        run.ended = True
        run.tell()

    async def followed(self, *, times: int = 1) -> None:
        """Wait until a stream was opened so many times."""
        async with self._opening:
            await self._opening.wait_for(lambda: self._opened >= times)

    def cut(self) -> None:
        """Break every followed stream now, in the middle of whatever it does."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refuse(request)) is not None:
            return refused
        pod = request.path.split("/")[6]
        if pod in self.gone or not any(name == pod for name, _ in self.runs):
            return refusal(404, "NotFound", f'pods "{pod}" not found')
        if not request.path.endswith("/log"):
            return web.json_response(self._pod(pod))
        container = request.query["container"]
        if (pod, container) not in self.runs:
            return refusal(400, "BadRequest", f"container {container} is not valid for pod {pod}")
        runs = self.runs[pod, container]
        if "previous" in request.query:
            if len(runs) < 2:
                message = f'previous terminated container "{container}" in pod "{pod}" not found'
                return refusal(400, "BadRequest", message)
            return web.Response(body=self._text(runs[-2], request))
        if "follow" not in request.query:
            return web.Response(body=self._text(runs[-1], request))
        return await self._follow(runs[-1], request)

    def _pod(self, pod: str) -> dict[str, Any]:
        statuses = []
        for (name, container), runs in self.runs.items():
            if name != pod:
                continue
            ended: dict[str, Any] = {"terminated": {"exitCode": 1, "reason": "Error"}}
            status: dict[str, Any] = {"name": container, "restartCount": len(runs) - 1, "state": {"running": {}}}
            if runs[-1].ended:
                status |= {"state": ended if self.final else {"waiting": {"reason": self.reason}}, "lastState": ended}
            elif len(runs) > 1:
                status["lastState"] = ended
            statuses.append(status)
        phase = "Failed" if self.final else "Running"
        return {"metadata": {"name": pod, "uid": "u1"}, "status": {"phase": phase, "containerStatuses": statuses}}

    def _wanted(self, run: Run, request: web.Request) -> list[bytes]:
        lines = list(run.lines)
        if "sinceTime" in request.query:
            since = datetime.fromisoformat(request.query["sinceTime"]).timestamp()
            assert since == int(since), "the API server rounds this to seconds; asking for more misleads"
            lines = [line for line in lines if line[0] >= since]
        if "tailLines" in request.query:
            lines = lines[max(len(lines) - int(request.query["tailLines"]), 0) :]
        return [f"{stamp(at)} {text}\n".encode() for at, text in lines]

    def _text(self, run: Run, request: web.Request) -> bytes:
        return b"".join(self._wanted(run, request))

    async def _follow(self, run: Run, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        cut = self._cut
        async with self._opening:
            self._opened += 1
            self._opening.notify_all()
        first = self._wanted(run, request)
        sent = len(run.lines)
        for line in first:
            await response.write(line)
        while not run.ended or sent < len(run.lines):
            fresh = run.lines[sent : None if self.cut_after is None else sent + self.cut_after]
            sent += len(fresh)
            await response.write(b"".join(f"{stamp(at)} {text}\n".encode() for at, text in fresh))
            if self.cut_after is not None:
                self.cut_after -= len(fresh)
                if self.cut_after <= 0:
                    self.cut_after = None
                    return self._break(request, response)
            if sent == len(run.lines) and not run.ended:
                changed = asyncio.create_task(run.changed.wait())
                cutting = asyncio.create_task(cut.wait())
                await asyncio.wait([changed, cutting], return_when=asyncio.FIRST_COMPLETED)
                broken = cutting.done()
                for task in (changed, cutting):
                    task.cancel()
                await asyncio.gather(changed, cutting, return_exceptions=True)
                if broken:
                    return self._break(request, response)
        return response

    def _break(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return response


class Reader:
    """Follows a source in the background and gives out what has come."""

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.lines: list[LogLine] = []
        self.batches: list[tuple[LogLine, ...]] = []
        self._came = asyncio.Condition()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with aclosing(self.source.follow()) as batches:
            async for batch in batches:
                async with self._came:
                    self.batches.append(batch)
                    self.lines += batch
                    self._came.notify_all()

    async def until(self, wanted: Callable[[list[LogLine]], bool]) -> None:
        async with self._came:
            await self._came.wait_for(lambda: wanted(self.lines))

    async def has(self, *texts: str) -> None:
        await self.until(lambda lines: set(texts) <= {line.text for line in lines})

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines if line.kind == "log"]

    @property
    def remarks(self) -> list[tuple[str, str]]:
        return [(line.kind, line.text) for line in self.lines if line.kind != "log"]


@asynccontextmanager
async def following(kubelet: Kubelet, directory: Path, *targets: tuple[str, str], **how: Any) -> AsyncIterator[Reader]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        port = await stack.enter_async_context(serving(kubelet.answer))
        cluster = await stack.enter_async_context(connected(port, directory))
        reader = Reader(LogSource(cluster, "bank", targets or [("payment-1", "app")], **how))
        try:
            yield reader
        finally:
            reader.task.cancel()
            await asyncio.gather(reader.task, return_exceptions=True)
            if reader.task.done() and not reader.task.cancelled() and reader.task.exception():
                raise reader.task.exception()  # type: ignore[misc]


# Followed


async def test_the_tail_comes_first_and_then_what_is_written_each_line_once(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, *(f"old {n}" for n in range(20)), at=T)
    await kubelet.write(run, "last", at=T + 5)
    async with following(kubelet, tmp_path, tail=3) as reader:
        await reader.has("last")
        await kubelet.write(run, "new", at=T + 5)
        await kubelet.write(run, "newer", at=T + 6)
        await reader.has("newer")
        await kubelet.end(run)
    assert reader.texts == ["old 18", "old 19", "last", "new", "newer"]
    assert reader.lines[0] == LogLine(T, "payment-1", "app", "old 18")


async def test_a_connection_that_breaks_is_visible_and_loses_and_repeats_nothing(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "start", at=T)
    async with following(kubelet, tmp_path) as reader:
        await reader.has("start")
        await kubelet.followed()
        # Equal lines in one second, and the break in the middle of them.
        kubelet.cut_after = 3
        await kubelet.write(run, "same", "same", "same", "same", "same", at=T + 1.5)
        await kubelet.write(run, "end", at=T + 1.6)
        await reader.has("end")
    assert reader.texts == ["start", "same", "same", "same", "same", "same", "end"]
    kinds = [line.kind for line in reader.lines]
    assert kinds == ["log"] * 4 + ["gap", "gap"] + ["log"] * 3
    broke, mended = (text for _, text in reader.remarks)
    assert broke.startswith("the log broke off: ")
    assert broke.endswith("; trying again")
    assert mended.startswith("the log goes on after ")
    assert mended.endswith("no line is missing")


async def test_lines_that_a_rotation_took_during_a_break_are_said_to_be_missing(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "before", at=T)
    async with following(kubelet, tmp_path) as reader:
        await reader.has("before")
        await kubelet.followed()
        run.lines = [(T + 90, "after")]
        kubelet.cut()
        await reader.has("after")
    assert reader.texts == ["before", "after"]
    assert reader.remarks[-1][1].endswith("lines in between may be missing")


async def test_a_quiet_log_is_opened_anew_without_a_word(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "one", at=T)
    async with following(kubelet, tmp_path, idle_timeout=0.2) as reader:
        await reader.has("one")
        await kubelet.followed(times=3)
        await kubelet.write(run, "two", at=T + 1)
        await reader.has("two")
    assert reader.texts == ["one", "two"]
    assert reader.remarks == []


async def test_a_container_that_restarts_is_followed_on_and_its_end_is_told(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "first run", at=T)
    async with following(kubelet, tmp_path) as reader:
        await reader.has("first run")
        await kubelet.write(run, "panic", at=T + 1)
        await kubelet.end(run)
        await reader.has("waiting: CrashLoopBackOff after exit 1; goes on when it starts again")
        second = kubelet.start()
        await kubelet.write(second, "second run", at=T + 20)
        await reader.has("second run")
    assert reader.texts == ["first run", "panic", "second run"]
    assert reader.remarks == [
        ("notice", "waiting: CrashLoopBackOff after exit 1; goes on when it starts again"),
        ("notice", "started again (restart 1)"),
    ]


async def test_runs_that_came_and_went_unseen_are_a_gap(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "first run", at=T)
    async with following(kubelet, tmp_path) as reader:
        await reader.has("first run")
        await kubelet.end(run)
        await reader.until(lambda lines: lines[-1].kind == "notice")
        for number in (1, 2):
            unseen = kubelet.start()
            unseen.lines = [(T + number, f"unseen {number}")]
            unseen.ended = True
        third = kubelet.start()
        await kubelet.write(third, "fourth run", at=T + 20)
        await reader.has("fourth run")
    assert ("gap", "restarted 3 times; the log of 2 of these runs was not seen") in reader.remarks


async def test_a_container_that_has_ended_for_good_ends_the_source(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "bye", at=T)
    await kubelet.end(run)
    kubelet.final = True
    async with following(kubelet, tmp_path) as reader:
        await reader.task
    assert reader.texts == ["bye"]
    assert reader.remarks == [("notice", "ended: Error, exit 1")]


async def test_a_pod_that_goes_away_ends_its_stream(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "bye", at=T)
    async with following(kubelet, tmp_path) as reader:
        await reader.has("bye")
        kubelet.gone.add("payment-1")
        await kubelet.end(run)
        await reader.task
    assert reader.remarks == [("notice", "the pod payment-1 is gone")]


async def test_a_container_that_waits_to_start_is_waited_for_and_that_is_said_once(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    kubelet.reason = "ContainerCreating"
    run.ended = True
    asked = 0

    def creating(request: web.Request) -> web.Response | None:
        nonlocal asked
        if not run.ended or not request.path.endswith("/log"):
            return None
        asked += 1
        message = 'container "app" in pod "payment-1" is waiting to start: ContainerCreating'
        return refusal(400, "BadRequest", message)

    kubelet.refuse = creating
    async with following(kubelet, tmp_path) as reader:
        await reader.has("waiting to start: ContainerCreating")
        run.ended = False
        await kubelet.write(run, "hello", at=T)
        await reader.has("hello")
    assert [text for _, text in reader.remarks if text.startswith("waiting to start")] == [
        "waiting to start: ContainerCreating"
    ]


@pytest.mark.parametrize(
    ("target", "notice"),
    [
        (("payment-1", "nope"), "no such container: nope in pod payment-1"),
        (("ghost", "app"), "the pod ghost is gone"),
    ],
)
async def test_what_is_not_there_is_a_notice_and_the_others_go_on(
    tmp_path: Path, target: tuple[str, str], notice: str
) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "hello", at=T)
    async with following(kubelet, tmp_path, target, ("payment-1", "app")) as reader:
        await reader.has(notice, "hello")
        await kubelet.write(run, "still here", at=T + 1)
        await reader.has("still here")
    assert reader.remarks == [("notice", notice)]


async def test_a_refusal_names_what_was_refused_and_ends_the_stream(tmp_path: Path) -> None:
    kubelet = Kubelet()
    kubelet.start()
    message = 'pods "payment-1" is forbidden: User "viewer" cannot get resource "pods/log" in API group ""'
    kubelet.refuse = lambda request: refusal(403, "Forbidden", message + ' in the namespace "bank"')
    async with following(kubelet, tmp_path) as reader:
        await reader.task
    assert reader.remarks == [("notice", "cannot get pods/log in namespace bank: forbidden for viewer")]


async def test_several_containers_are_one_log_in_order_of_time_and_then_of_arrival(tmp_path: Path) -> None:
    kubelet = Kubelet()
    runs = {name: kubelet.start(name) for name in ("a", "b", "c")}
    for second in range(3):
        for offset, (name, run) in enumerate(runs.items()):
            await kubelet.write(run, f"{name}{second}", at=T + second + offset / 10)
    async with following(kubelet, tmp_path, *((name, "app") for name in runs)) as reader:
        await reader.has("c2")
        await kubelet.write(runs["b"], "b3", at=T + 10)
        await reader.has("b3")
        await kubelet.write(runs["a"], "a3", at=T + 9)
        await reader.has("a3")
    assert reader.texts == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2", "b3", "a3"]


async def test_a_pod_that_comes_later_can_be_added(tmp_path: Path) -> None:
    kubelet = Kubelet()
    old = kubelet.start("a")
    await kubelet.write(old, "a0", at=T)
    async with following(kubelet, tmp_path, ("a", "app")) as reader:
        await reader.has("a0")
        fresh = kubelet.start("b")
        await kubelet.write(fresh, "b0", at=T + 1)
        reader.source.add([("a", "app"), ("b", "app")])
        await reader.has("b0")
    assert reader.texts == ["a0", "b0"]


async def test_a_server_that_dies_and_returns_is_two_visible_lines(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "before", at=T)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        server = AsyncExitStack()
        port = await server.enter_async_context(serving(kubelet.answer))
        stack.enter_context(keep(port))
        cluster = await stack.enter_async_context(connected(port, tmp_path))
        reader = Reader(LogSource(cluster, "bank", [("payment-1", "app")]))
        await reader.has("before")
        await server.aclose()
        await reader.until(lambda lines: lines[-1].kind == "gap")
        await kubelet.write(run, "meanwhile", at=T + 3)
        await stack.enter_async_context(serving(kubelet.answer, port=port))
        await reader.has("meanwhile")
        reader.task.cancel()
        await asyncio.gather(reader.task, return_exceptions=True)
    assert reader.texts == ["before", "meanwhile"]
    assert [kind for kind, _ in reader.remarks] == ["gap", "gap"]
    assert reader.remarks[1][1].endswith("no line is missing")


async def test_a_slow_reader_makes_the_streams_wait_and_gets_every_line(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "0", at=T)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        port = await stack.enter_async_context(serving(kubelet.answer))
        cluster = await stack.enter_async_context(connected(port, tmp_path))
        batches = await stack.enter_async_context(aclosing(LogSource(cluster, "bank", [("payment-1", "app")]).follow()))
        got = [line.text for line in await anext(batches)]
        await kubelet.write(run, *(str(n) for n in range(1, 10_000)), at=T + 1)
        sizes = []
        while len(got) < 10_000:
            batch = await anext(batches)
            sizes.append(len(batch))
            got += [line.text for line in batch]
    assert got == [str(n) for n in range(10_000)]
    assert max(sizes) <= 1001


# Read once


async def test_reading_once_merges_by_time_and_tells_what_could_not_be_read(tmp_path: Path) -> None:
    kubelet = Kubelet()
    for name in ("a", "b"):
        run = kubelet.start(name)
        await kubelet.write(run, f"{name}1", at=T + (name == "a"))
    async with asyncio.timeout(60), serving(kubelet.answer) as port, connected(port, tmp_path) as cluster:
        lines = await read_once(cluster, "bank", [("a", "app"), ("b", "app"), ("a", "nope")])
    assert [(line.kind, line.text) for line in lines] == [
        ("log", "b1"),
        ("log", "a1"),
        ("notice", "no such container: nope in pod a"),
    ]


async def test_the_previous_run_is_read_and_its_absence_told(tmp_path: Path) -> None:
    kubelet = Kubelet()
    run = kubelet.start()
    await kubelet.write(run, "panic", at=T)
    await kubelet.end(run)
    kubelet.start()
    kubelet.start("b")
    async with following(kubelet, tmp_path, ("payment-1", "app"), ("b", "app"), previous=True) as reader:
        await reader.task
    assert reader.texts == ["panic"]
    assert reader.remarks == [
        ("notice", "there is no previous run: the container was not restarted, or its old log is gone")
    ]


# Lines


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        (b"2026-11-23T07:38:40.458282Z info: ok", 1795419520.458282, "info: ok"),
        (b"2026-11-23T08:38:40.458282123+01:00 info", 1795419520.458282, "info"),
        (b"2026-11-23T07:38:40Z", 1795419520.0, ""),
        (b"2026-11-23T07:38:40Z \xff\xfe\r", 1795419520.0, "\ufffd\ufffd"),
        (b"failed to create fsnotify watcher: too many open files", None, None),
        (b"2026-13-99T07:38:40Z x", None, None),
        (b"", None, ""),
    ],
)
def test_a_line_is_its_stamp_and_its_text(raw: bytes, at: float | None, text: str | None) -> None:
    parsed = parse(raw)
    assert parsed[0] == (pytest.approx(at) if at is not None else None)
    assert parsed[1] == (raw.decode() if text is None else text)


def test_a_monstrous_line_is_cut_visibly_and_completely() -> None:
    text = "x" * (2 * MOST_TEXT + 5)
    parts = list(pieces(text))
    assert len(parts) == 3
    assert parts[0].endswith("⋯ (line continues)")
    assert parts[1].startswith("(continued) ⋯")
    bare = [part.removesuffix(" ⋯ (line continues)").removeprefix("(continued) ⋯ ") for part in parts]
    assert "".join(bare) == text
    assert list(pieces("short")) == ["short"]


def test_merging_keeps_each_containers_order_where_its_stamps_run_back() -> None:
    a = [LogLine(at, "a", "", str(at)) for at in (1.0, 5.0, 4.0, 6.0)]
    b = [LogLine(at, "b", "", str(at)) for at in (2.0, None, 4.5)]
    lines = merged([a, b])
    assert [line.at for line in lines if line.pod == "a"] == [1.0, 5.0, 4.0, 6.0]
    assert [line.at for line in lines] == [1.0, 2.0, None, 4.5, 5.0, 4.0, 6.0]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["a", "b"])), max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_however_often_a_stream_breaks_every_line_comes_once(
    written: Sequence[tuple[int, str]], breaks: Sequence[int]
) -> None:
    log = [(T + half / 2, text) for half, text in sorted(written, key=lambda line: line[0])]
    raws = [(at, f"{stamp(at)} {text}".encode()) for at, text in log]
    seen, got = Seen(), 0
    for end in [*sorted(breaks), len(raws)]:
        since = datetime.fromisoformat(seen.since).timestamp() if seen.since else 0.0
        replay = seen.replay()
        for at, raw in [line for line in raws[:end] if line[0] >= since]:
            if not replay.repeats(raw, at):
                seen.note(raw, at)
                got += 1
    assert got == len(raws)


async def test_the_inbox_makes_writers_wait_while_it_is_full() -> None:
    inbox = Inbox(2)
    line = LogLine(None, "p", "c", "x")
    await inbox.put(line)
    await inbox.put(line)
    third = asyncio.create_task(inbox.put(line))
    await asyncio.sleep(0)
    assert not third.done()
    async with asyncio.timeout(60):
        await inbox.something()
        assert len(inbox.take()) == 2
        await third
        await inbox.something()
    assert len(inbox.take()) == 1
