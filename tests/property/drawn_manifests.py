"""Manifests with every key a component may have: good ones with what they mean, and the same ones broken.

What a component means is drawn first and written then, in one of the ways there are, so that the tool is held against
a model that knows nothing of nodes, schemas or merging. Variables: `n` is 4, `secret` some text.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from statetool.core.deploy import Artifact, Deploy, GrayStart, Release, Resources
from statetool.core.model import ReplicaRange, Replicas

Tree = dict[str, Any]
SECRET = "open/sesame"
"""Nothing that may be a name: it would become part of an address, which is shown."""
ENVIRON = {"STATETOOL_VAR_secret": SECRET, "STATETOOL_VAR_n": "4"}

NAMES = ["cart", "pay", "search", "A-1_b"]
ADDRESSES = st.sampled_from(
    ["swr.cn-north-4.myhuaweicloud.com/shop/cart:1.4.2", "obs://b/k.zip", "支付@sha256:0a", "x"]
)
VARIABLE_NAMES = st.from_regex(r"\A[A-Za-z_.-][A-Za-z0-9_.-]{0,8}\Z").filter(lambda n: n != "." and n[:2] != "..")
TEXTS = st.sampled_from(
    ["", "8080", "yes", "null", " x ", "a: b # c", "${var.secret}", "$${HOME}", "支付，", '"', "'", "\\"]
)
MEANT = {"${var.secret}": SECRET, "$${HOME}": "${HOME}"}
# Each amount with some of the ways to write it.
CORES: list[tuple[float, Any]] = [
    *((0.001, "1m"), (0.25, "250m"), (0.25, 0.25), (0.5, "0.5"), (1.0, 1), (1.0, "1000m"), (1.5, 1.5)),
    *((4.0, "${var.n}"), (4.0, "4"), (4096.0, 4096)),
]
GIB: list[tuple[float, Any]] = [
    *((0.5, "512Mi"), (0.5, 0.5), (1e9 / 2**30, "1G"), (1.0, 1), (1.0, "1Gi"), (1.5, "1536Mi")),
    *((4.0, "${var.n}"), (4.0, "4.0Gi"), (65536.0, "64Ti")),
]


@dataclass(frozen=True)
class Drawn:
    """One component: how it is written, and what is to come of it."""

    written: Tree
    replicas: Replicas | None
    deploy: Deploy


@st.composite
def resources(draw: st.DrawFn) -> tuple[Tree, Resources | None]:
    """Any of the four amounts; no request above its limit."""
    written: Tree = {"requests": {}, "limits": {}}
    found: dict[str, float] = {}
    for name, amounts in (("cpu", CORES), ("memory", GIB)):
        pair = sorted(draw(st.lists(st.sampled_from(amounts), min_size=2, max_size=2)), key=lambda amount: amount[0])
        for key, (meant, spelled) in zip(("requests", "limits"), pair, strict=True):
            if draw(st.booleans()):
                written[key][name] = spelled
                found[f"{key[:-1]}_{name}"] = meant
    return {key: part for key, part in written.items() if part}, Resources(**found) if found else None


@st.composite
def artifacts(draw: st.DrawFn, written: Tree) -> Artifact | None:
    kind = draw(st.sampled_from(["image", "package", None]))
    if kind is None:
        return None
    written[kind] = draw(ADDRESSES)
    return Artifact(kind, written[kind])


@st.composite
def gray_starts(draw: st.DrawFn, written: Tree, most: int | None) -> GrayStart:
    """What fits to the rule that is already there; `most` instances in the first batch."""
    is_by_rules = "rules" in written
    mode = draw(st.sampled_from([None, "mirror", "extra", "nosurge"]))
    channels = [None, "microservice", "registry", *([] if is_by_rules else ["elb-dedicated", "elb-shared"])]
    start = GrayStart(
        mode=mode,
        channel=draw(st.sampled_from(channels)),
        first_batch_replicas=None if mode == "mirror" else draw(st.none() | st.integers(1, most or 9)),
        remaining_batches=None if mode == "mirror" else draw(st.none() | st.integers(1, 9)),
        precheck=draw(st.booleans()),
    )
    for key in ("mode", "channel", "first_batch_replicas", "remaining_batches"):
        if getattr(start, key) is not None:
            written[key] = getattr(start, key)
    if start.precheck or draw(st.booleans()):
        written["precheck"] = start.precheck
    return start


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Tree, ReplicaRange]:
    """Of at least two instances, lest a gray release forbid it."""
    least, most = sorted(draw(st.tuples(st.integers(2, 9), st.integers(2, 9))))
    enforce = draw(st.booleans())
    written: Tree = {"min": "${var.n}" if least == 4 else least, "max": most}
    if enforce or draw(st.booleans()):
        written["enforce_max"] = enforce
    return written, ReplicaRange(least, most, enforce)


@st.composite
def components(draw: st.DrawFn, default: ReplicaRange | None) -> Drawn:
    """A component of a document with that range by default."""
    written: Tree = {}
    replicas: Replicas | None = default
    kind = draw(st.sampled_from(["default", "number", "range", "auto", "ceiling"]))
    if kind == "number":
        written["replicas"] = replicas = draw(st.integers(2, 9))
    elif kind == "range":
        written["replicas"], replicas = draw(ranges())
        if default and default.enforce_max and "enforce_max" not in written["replicas"]:
            written["replicas"]["enforce_max"] = None
    elif kind == "auto":
        written["replicas"], replicas = "auto", None
    elif kind == "ceiling" and default:
        written["replicas"] = {"max": default.max + 1}
        replicas = ReplicaRange(default.min, default.max + 1, default.enforce_max)
    if draw(st.sampled_from([False, False, False, True])):
        return Drawn(written, replicas, Deploy())
    written["version"] = "1.4.2"
    artifact = draw(artifacts(written))
    written["env"] = draw(st.dictionaries(VARIABLE_NAMES, TEXTS, max_size=3))
    written["resources"], sized = draw(resources())
    release = draw(st.sampled_from([None, Release("one_batch"), Release("rolling"), Release("rolling", 3)]))
    if release:
        batches = {} if release.batches is None else {"batches": release.batches}
        written["release"] = {"strategy": release.strategy, **batches}
    candidate, start = None, GrayStart()
    if draw(st.booleans()):
        rules = [{"type": "header", "key": "k", "condition": "equal", "value": "v"}]
        gray: Tree = {"version": "1.5.0", **draw(st.sampled_from([{"weight": 5}, {"rules": rules}]))}
        candidate = draw(artifacts(gray))
        start = draw(gray_starts(gray, replicas - 1 if isinstance(replicas, int) else None))
        written["gray"] = gray
    env = {name: MEANT.get(text, text) for name, text in written["env"].items()}
    return Drawn(written, replicas, Deploy(artifact, candidate, env, sized, release, start))


@st.composite
def documents(draw: st.DrawFn) -> tuple[Tree, dict[str, Drawn]]:
    """One document, and its components by name."""
    document: Tree = {"application": "shop"}
    default = None
    if draw(st.booleans()):
        bounds, default = draw(ranges())
        document["defaults"] = {"replicas": bounds}
    drawn = draw(st.dictionaries(st.sampled_from(NAMES), components(default), min_size=1, max_size=2))
    document["components"] = {name: one.written for name, one in drawn.items()}
    return document, drawn


# What hands may write at a key: what is right elsewhere, and what is never right.
NUMBERS = [0, 1, 2, 9]
AMOUNTS = ["1m", "4", "1Gi", "128m", "0m", "9999999m", "999999T", 1, 0, 5000, 1e300]
PLAUSIBLE: dict[str, list[Any]] = {
    **dict.fromkeys(("min", "max", "batches", "first_batch_replicas", "remaining_batches", "weight"), NUMBERS),
    **dict.fromkeys(("cpu", "memory"), AMOUNTS),
    **{key: ["x", "a b", ""] for key in ("image", "package")},
    **{key: [True, False, "yes"] for key in ("enforce_max", "precheck")},
    "replicas": [0, 1, 2, 9, "auto", {"min": 1, "max": 3}, {"max": 1}, {"min": 9}],
    "version": ["1.4.2", "1.5.0", "1.10"],
    "env": [{}, {"1A": "x"}, {"A": 1}, {"A": None}],
    "resources": [{}, {"limits": {"cpu": "1m"}}, {"requests": {"memory": "64Ti"}}],
    "release": [{}, {"strategy": "rolling"}, {"batches": 2}],
    "strategy": ["rolling", "one_batch", "one-batch"],
    "gray": [{"version": "1.5.0", "weight": 5}, {"version": "1.4.2", "rules": []}, {"image": "x"}],
    "rules": [[], [{"type": "header", "key": "k", "condition": "in", "value": "v"}]],
    "mode": ["mirror", "extra", "nosurge", "no_surge"],
    "channel": ["microservice", "elb-dedicated", "elb-shared", "elb"],
    "state": ["running", "stopped"],
}
START = ["mode", "channel", "first_batch_replicas", "remaining_batches", "precheck"]
COMPONENT = ["replicas", "version", "image", "package", "env", "resources", "release", "gray", "state"]
OF_MAPS = {
    **dict.fromkeys(NAMES, COMPONENT),
    "replicas": ["min", "max", "enforce_max"],
    "requests": ["cpu", "memory"],
    "limits": ["cpu", "memory"],
    "release": ["strategy", "batches"],
    "gray": ["version", "weight", "rules", "image", "package", *START, *START],
}
"""The keys of the maps that stand at a key; twice where slips are to be more frequent."""
KEYS = [*PLAUSIBLE, "defaults", "limits", "requests", "replica", "1A", "..", "a b", "${var.n}", "x" * 300, "键"]
JUNK: list[Any] = [None, True, -1, 0, 1, 2**53, 1.5, 1e300, [], [1], [[]], {}, {"min": 3}, {"a": {"b": None}}]
JUNK += ["", "x", "4", "1.10", "9" * 30 + "Mi", "1e9", "a b", "a\u3000b", "a\nb", "a\x7fb", "９"]
JUNK += ["${var.n}", "${var.secret}", "${var.nobody}", "${", "$${"]


@st.composite
def broken(draw: st.DrawFn) -> Tree:
    """A good document after a few slips: another value, one of another kind or place, keys lost, added or misspelt."""
    document = copy.deepcopy(draw(documents())[0])
    for _ in range(draw(st.integers(1, 3))):
        maps = list(_maps(document, ""))
        name, target = draw(st.sampled_from(maps))
        kind = draw(st.sampled_from(["value", "value", "value", "junk", "lose", "rename", "graft"]))
        if kind == "value" and name in OF_MAPS:
            key = draw(st.sampled_from(OF_MAPS[name]))
            target[key] = copy.deepcopy(draw(st.sampled_from(PLAUSIBLE[key])))
            continue
        key = draw(st.sampled_from([*target, draw(st.sampled_from(KEYS))]))
        if kind == "junk":
            target[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        elif kind == "graft":
            source = draw(st.sampled_from(maps))[1]
            target[key] = copy.deepcopy(draw(st.sampled_from([*source.values(), source])))
        elif key in target and kind != "value":
            value = target.pop(key)
            if kind == "rename":
                target[draw(st.sampled_from([*KEYS, key[:-1], key + "s"]))] = value
    return document


def _maps(tree: Tree, name: str) -> Iterator[tuple[str, Tree]]:
    """All maps in it, each with the key at which it stands."""
    yield name, tree
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _maps(value, key)


def render(tree: Tree, indent: str = "") -> str:
    """The tree as a file: one key a line, text in quotes, variables bare."""
    lines = ""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            lines += f"{indent}{json.dumps(key)}:\n{render(value, indent + '  ')}"
        else:
            is_bare = isinstance(value, str) and value.startswith("${")
            lines += f"{indent}{json.dumps(key)}: {value if is_bare else json.dumps(value, ensure_ascii=False)}\n"
    return lines
