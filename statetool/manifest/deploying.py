"""What a component's manifest sends along with a version: artifacts, variables, limits, and how it is released.

Owns the keys for that and every rule between them. Like components.py, which calls it, it takes what the schema
refused as absent, and complains of each slip once.
"""

from __future__ import annotations

from typing import Literal, Protocol, cast, get_args

from statetool.core.deploy import Artifact, Deploy, GrayChannel, GrayMode, GrayStart, Release, Resources
from statetool.manifest.fields import (
    bare,
    edited,
    elsewhere,
    entries_at,
    integer_at,
    is_true_at,
    removable,
    text_at,
    text_map,
    value_at,
)
from statetool.manifest.nodes import Entry, Node, is_null
from statetool.manifest.quantities import UNITS
from statetool.manifest.structure import say_value

_OF_A_VERSION = {
    "image": "an image is that of a version",
    "package": "a package is that of a version",
    "env": "variables are sent only together with a new one",
    "resources": "resources are sent only together with a new one",
    "release": "it says how one version replaces another",
}
"""Keys that mean nothing without `version`, and why."""
_OF_BATCHES = ("first_batch_replicas", "remaining_batches")
_BY_WEIGHT_ONLY = frozenset({"elb-dedicated", "elb-shared"})  # [5.3]


class Note(Protocol):
    """Where complaints go: code, message, hint, what is complained of, and the component's name."""

    def __call__(self, code: str, message: str, hint: str, place: Entry | Node, component: str | None) -> None: ...


def build_deploy(fields: dict[str, Entry], component: str, file: str, note: Note) -> Deploy:
    """The values of a component with its defaults, checked. `file` is where the component itself is described last."""
    return _Builder(fields, component, file, note).build()


class _Builder:
    def __init__(self, fields: dict[str, Entry], component: str, file: str, note: Note) -> None:
        self.fields = fields
        self.component = component
        self.file = file
        self.note = note
        self.gray = entries_at(fields, "gray")
        self.gray_file = fields["gray"].node.file if "gray" in fields else file

    def build(self) -> Deploy:
        if "version" not in self.fields:
            self._note_missing_version()
        return Deploy(
            artifact=self._artifact(self.fields, self.file, f"component {self.component}"),
            candidate_artifact=self._artifact(self.gray, self.gray_file, f"gray of component {self.component}"),
            env=text_map(entries_at(self.fields, "env")),
            resources=self._resources(entries_at(self.fields, "resources")),
            release=self._release(entries_at(self.fields, "release")),
            gray=self._gray_start(),
        )

    def _note_missing_version(self) -> None:
        for key, why in _OF_A_VERSION.items():
            entry = self.fields.get(key)
            if entry is not None and not is_null(entry.node):
                self.note(
                    "field_without_version",
                    f"component {self.component} has {key}, but no version",
                    f"add `version:`, or remove {key}: {why}",
                    entry,
                    self.component,
                )

    def _artifact(self, entries: dict[str, Entry], file: str, owner: str) -> Artifact | None:
        if "image" in entries and "package" in entries:
            image, package = entries["image"], entries["package"]
            here = edited(image, package, file)
            self.note(
                "image_and_package",
                f"{owner} has both image{elsewhere(image, here)} and package{elsewhere(package, here)}",
                "keep one: a component runs from the one or from the other" + removable(image, package),
                here,
                self.component,
            )
        kinds: tuple[Literal["image", "package"], ...] = ("image", "package")
        found = ((kind, text_at(entries, kind)) for kind in kinds)
        return next((Artifact(kind, url) for kind, url in found if url is not None), None)

    def _resources(self, entries: dict[str, Entry]) -> Resources | None:
        """None where no amount is written."""
        requests, limits = entries_at(entries, "requests"), entries_at(entries, "limits")
        found = {(key, name): self._amount(entries, key, name) for key in ("requests", "limits") for name in UNITS}
        for name in UNITS:
            request, limit = found["requests", name], found["limits", name]
            if request is not None and limit is not None and request > limit:
                self._note_too_little(requests[name], limits[name], name)
        resources = Resources(
            request_cpu=found["requests", "cpu"],
            limit_cpu=found["limits", "cpu"],
            request_memory=found["requests", "memory"],
            limit_memory=found["limits", "memory"],
        )
        return resources if resources != Resources() else None

    def _amount(self, resources: dict[str, Entry], key: str, name: str) -> float | None:
        """One amount in the unit of its resource."""
        entries, unit = entries_at(resources, key), UNITS[name]
        value = value_at(entries, name)
        amount = unit.parse(value) if isinstance(value, str) else value
        if amount is None or isinstance(amount, bool):
            return None
        if unit.least <= amount <= unit.most:
            return float(amount)
        if isinstance(value, str):  # of numbers the schema says it
            wanted = f"from {unit.least} to {unit.most} {unit.name}"
            node = entries[name].node
            self.note(
                "out_of_range",
                f"resources.{key}.{name} of component {self.component} must be {wanted}, not {say_value(node)}",
                f"write an amount {wanted}",
                node,
                self.component,
            )
        return None

    def _note_too_little(self, request: Entry, limit: Entry, name: str) -> None:
        here = edited(request, limit, self.fields["resources"].node.file)
        self.note(
            "request_above_limit",
            f"resources.requests.{name} of component {self.component} is {bare(request.node)}"
            f"{elsewhere(request, here)}, above resources.limits.{name}, {bare(limit.node)}{elsewhere(limit, here)}",
            "lower the request, or raise the limit",
            here.node,
            self.component,
        )

    def _release(self, entries: dict[str, Entry]) -> Release | None:
        strategy = text_at(entries, "strategy")
        if strategy not in ("rolling", "one_batch"):
            return None
        if strategy == "one_batch" and "batches" in entries:
            here = edited(entries["strategy"], entries["batches"], self.fields["release"].node.file)
            self.note(
                "batches_without_rolling",
                f"release of component {self.component} has batches{elsewhere(entries['batches'], here)}, but the "
                f"strategy one_batch{elsewhere(entries['strategy'], here)}",
                "remove batches, or write strategy: rolling" + removable(entries["strategy"], entries["batches"]),
                here,
                self.component,
            )
        return Release(cast(Literal["rolling", "one_batch"], strategy), integer_at(entries, "batches"))

    def _gray_start(self) -> GrayStart:
        mode, channel = text_at(self.gray, "mode"), text_at(self.gray, "channel")
        if mode == "mirror":
            self._check_mirror()
        if channel in _BY_WEIGHT_ONLY and "rules" in self.gray:
            self._note_rules_over_elb()
        first, remaining = (integer_at(self.gray, key) for key in _OF_BATCHES)
        self._check_first_batch(first)
        return GrayStart(
            mode=cast(GrayMode, mode) if mode in get_args(GrayMode) else None,
            channel=cast(GrayChannel, channel) if channel in get_args(GrayChannel) else None,
            first_batch_replicas=first,
            remaining_batches=remaining,
            precheck=is_true_at(self.gray, "precheck"),
        )

    def _check_mirror(self) -> None:
        mode = self.gray["mode"]
        for key in _OF_BATCHES:
            if key in self.gray:
                here = edited(mode, self.gray[key], self.gray_file)
                self.note(
                    "batches_of_mirror",
                    f"gray of component {self.component} has {key}{elsewhere(self.gray[key], here)}, but the mode "
                    f"{bare(mode.node)}{elsewhere(mode, here)}",
                    f"mirror has no batches: remove {key}, or write mode: extra or nosurge"
                    + removable(mode, self.gray[key]),
                    here,
                    self.component,
                )

    def _note_rules_over_elb(self) -> None:
        rules, channel = self.gray["rules"], self.gray["channel"]
        here = edited(rules, channel, self.gray_file)
        self.note(
            "rules_over_elb",
            f"gray of component {self.component} has rules{elsewhere(rules, here)}, but the channel "
            f"{bare(channel.node)}{elsewhere(channel, here)}",
            "an ELB splits traffic by weight only: write weight in place of rules, or another channel"
            + removable(rules, channel),
            here,
            self.component,
        )

    def _check_first_batch(self, first: int | None) -> None:
        count = integer_at(self.fields, "replicas")
        if first is None or first < 1 or count is None or count < 2 or first < count:
            return
        entry, replicas = self.gray["first_batch_replicas"], self.fields["replicas"]
        here = edited(entry, replicas, self.gray_file)
        self.note(
            "first_batch_too_large",
            f"gray.first_batch_replicas of component {self.component} is {bare(entry.node)}{elsewhere(entry, here)}, "
            f"which leaves no instance to the stable version: replicas is {bare(replicas.node)}"
            f"{elsewhere(replicas, here)}",
            "the first batch must be smaller than replicas",
            here.node,
            self.component,
        )
