"""Pods with every part missing, null or nonsensical still become rows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import wire
from probes.pods import row
from probes.rows import Health, Pod
from tests.breadth import examples


def read(thing: dict[str, Any]) -> wire.Pod:
    return msgspec.json.decode(json.dumps(thing), type=wire.Pod)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def few(things: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any] | None]:
    return st.none() | st.lists(things, max_size=4)


words = ["", "Running", "Completed", "CrashLoopBackOff", "Always", "True", "Succeeded", "PodInitializing"]
times = ["2026-11-23T07:38:10Z", "0001-01-01T00:00:00Z", "9999-99-99"]
texts = st.sampled_from([*words, *times, "\x1b[31m", "\u202e"])
maybe = st.none() | texts
flag = st.none() | st.booleans()
names = st.sampled_from(["a", "b", "c", ""])
terminated = some(
    exitCode=st.integers(-1, 255),
    signal=st.none() | st.integers(0, 64),
    reason=maybe,
    message=maybe,
    startedAt=maybe,
    finishedAt=maybe,
)
states = st.none() | some(
    waiting=st.none() | some(reason=maybe, message=maybe),
    running=st.none() | some(startedAt=maybe),
    terminated=st.none() | terminated,
)
statuses = few(
    some(
        name=names,
        state=states,
        lastState=states,
        ready=st.booleans(),
        restartCount=st.integers(0, 9),
        started=flag,
    )
)
specs = few(some(name=names, image=maybe, restartPolicy=maybe))
condition_types = st.sampled_from(["Ready", "Initialized", "PodScheduled"])
weird_pods = some(
    metadata=some(
        name=texts,
        labels=st.none() | st.dictionaries(st.just("pod-template-hash"), texts),
        creationTimestamp=maybe,
        deletionTimestamp=maybe,
        deletionGracePeriodSeconds=st.none() | st.integers(0, 90),
        ownerReferences=few(some(kind=st.sampled_from(["ReplicaSet", "Job"]), name=texts, controller=flag)),
    ),
    spec=st.none() | some(containers=specs, initContainers=specs, ephemeralContainers=specs, nodeName=maybe),
    status=st.none()
    | some(
        phase=maybe,
        reason=maybe,
        message=maybe,
        conditions=few(some(type=condition_types, status=texts, reason=maybe, lastTransitionTime=maybe)),
        containerStatuses=statuses,
        initContainerStatuses=statuses,
        ephemeralContainerStatuses=statuses,
    ),
    unknown=st.just({"a": [1, {}]}),
)


@settings(max_examples=examples(100))
@given(weird_pods)
def test_no_pod_however_weird_raises(thing: dict[str, Any]) -> None:
    made = row(read(thing))
    assert isinstance(made, Pod)
    assert made.status
    assert made.health in Health
    assert made.ready >= 0
