"""The words that several views share: causes, values, instants, counts, and the closing line of a plan.

Owns the phrases, so that text, Markdown and the report of an apply say the same thing in the same words. What it
returns may hold text from outside and is not harmless yet: views escape it for the place it goes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from statetool.core.canonical import canonical_text
from statetool.core.model import DEPLOYED_FIELD, Address, AppliedFrom, Json, Replicas
from statetool.core.plan import (
    Action,
    Blocked,
    Cause,
    Change,
    FieldChange,
    Finding,
    Kind,
    LeftAlone,
    Plan,
    Risk,
    SendIf,
    WishUpdate,
    summarize,
)

NONE = "(none)"
PROJECT = "(project)"
_SHORT_ENOUGH = 40
"""Reasons up to this length are repeated from line to line."""

_PERCENT_PATHS = frozenset({"gray.weight", "weight"})
_CAUSES: Mapping[Cause, str] = {
    Cause.ADOPT: "first time recorded",
    Cause.MANIFEST: "you changed the manifest",
    Cause.DRIFT: "changed outside",
    Cause.BOTH: "changed outside and in the manifest",
    Cause.COMMAND: "asked for on the command line",
}
_CONDITIONS: Mapping[SendIf, str] = {
    SendIf.FEWER: "only if fewer come back",
    SendIf.DIFFERENT: "only if the number differs",
}

CREDENTIAL_KINDS: Mapping[str, str] = {
    "token": "a ready token",
    "access_key": "an access key",
    "temporary_access_key": "a temporary access key",
    "password": "user and password",
    "agency": "the agency of this machine",
}
"""Credentials by their kind, for people."""
EPHEMERAL_STATE = (
    "this is a CI job, and the state is a file in {folder}: it is lost with this machine, and so is what was applied"
)
EPHEMERAL_STATE_ADVICE = "keep the state in a backend that outlives the job (`state migrate --to http`, postgres or s3)"


def plural(count: int, word: str, many: str | None = None) -> str:
    """`1 value`, `2 values`; `many` for words that do not just take an s."""
    return f"{count} {word if count == 1 else many or word + 's'}"


ARTIFACT_PATHS = frozenset({"image", "package"})
START_PARAMETERS = frozenset({"mode", "channel", "first_batch_replicas", "remaining_batches"})
_TOLD_ALONG = ARTIFACT_PATHS | {"env", "resources"}


def value_text(path: str, value: Json) -> str:
    """A field's value as a person writes it; never JSON."""
    if value is None:
        return NONE
    if value == "":
        return '""'
    if path in _PERCENT_PATHS:
        return f"{value} %"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(rule_text(item) for item in value) or NONE
    if isinstance(value, dict) and "min" in value:
        ceiling = " (ceiling enforced)" if value.get("enforce_max") else ""
        return f"{value_text('', value['min'])}..{value_text('', value.get('max'))}{ceiling}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_text(key, item)}" for key, item in value.items())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def sides_text(path: str, before: Json, after: Json) -> tuple[str, str]:
    """Both sides of a difference; of two addresses of images only the last part, where the rest is the same."""
    old, new = value_text(path, before), value_text(path, after)
    if path.removeprefix("gray.") in ARTIFACT_PATHS and old.rpartition("/")[0] == new.rpartition("/")[0]:
        return old.rpartition("/")[2], new.rpartition("/")[2]
    return old, new


def replicas_text(wanted: Replicas) -> str:
    """`4 replicas`, `3..9 replicas`."""
    return plural(wanted, "replica") if isinstance(wanted, int) else f"{wanted.min}..{wanted.max} replicas"


def is_rules(change: FieldChange) -> bool:
    """Whether the change lists content rules, which are shown one a line."""
    return any(isinstance(side, list) for side in (change.before, change.after))


def rule_text(rule: Json) -> str:
    """`header x-user-tier equal beta`."""
    if not isinstance(rule, dict):
        return value_text("", rule)
    parts = [rule.get(key) for key in ("type", "key", "condition", "value")]
    return " ".join(value_text("", part) for part in parts if part is not None)


def rule_lines(change: FieldChange) -> list[str]:
    """One line a rule: `- ` goes, `+ ` comes, two blanks stay."""
    before = [rule_text(r) for r in change.before] if isinstance(change.before, list) else []
    after = [rule_text(r) for r in change.after] if isinstance(change.after, list) else []
    gone = [f"- {r}" for r in before if r not in after]
    new = [f"+ {r}" for r in after if r not in before]
    return gone + new + [f"  {r}" for r in after if r in before]


def is_released(change: FieldChange) -> bool:
    """Whether the key left the manifest: the field is not managed from now on."""
    return change.after is None and not change.path.startswith("gray.")


def is_only_recorded(change: FieldChange) -> bool:
    """Whether the field is listed because the record changes, not the platform."""
    return is_released(change) or canonical_text(change.before) == canonical_text(change.after)


def cause_text(change: FieldChange) -> str:
    """Why this field is in the plan."""
    if is_released(change):
        return "no longer managed, left as it is"
    text = _CAUSES[change.cause]
    if change.cause is Cause.BOTH and change.wish is not None:
        return f"{text} (last applied: {value_text(change.path, change.wish)})"
    if is_only_recorded(change) and change.cause is not Cause.ADOPT:
        return f"{text}; it is so already"
    return text


def difference_text(change: FieldChange) -> str:
    """Before and after in one line: `4 -> 6`, or what is recorded."""
    if is_only_recorded(change):
        return f"{value_text(change.path, change.before)}, {cause_text(change)}"
    return " -> ".join(sides_text(change.path, change.before, change.after))


def update_text(update: WishUpdate) -> str:
    """What is recorded for a field that no action touches and no line of the plan shows."""
    if update.value is None:
        return "released: no longer managed, left as it is"
    return "recorded: it already is as the manifest says"


def update_name(update: WishUpdate) -> str:
    """What is recorded, as a person calls it."""
    return "env, resources" if update.field == DEPLOYED_FIELD else update.field


def silent_updates(change: Change) -> list[WishUpdate]:
    """Updates of the record that none of the change's field lines speaks of."""
    shown = {field.path.split(".")[0].replace("gray", "version") for field in change.fields}
    return [u for u in change.updates if not u.after and u.field not in shown]


def kind_text(change: Change) -> str | None:
    """What is recorded of the component as a whole, where that is not plain from its fields."""
    if change.kind is Kind.FORGET:
        return "leaves the state; the platform is not touched"
    if change.kind is Kind.MOVE:
        sent = "" if change.action_ids else ", nothing is sent"
        return f"moves here from {change.moved_from}; the record is kept{sent}"
    if change.kind is Kind.ADOPT and not change.fields:
        return "recorded for the first time; nothing is changed"
    return None


def parameters_text(parameters: Mapping[str, Json]) -> str:
    """`version=1.4.1`; content rules are counted, their lines stand with the field.

    What goes along with a version is told by its own line; values of variables are never shown.
    """
    return " ".join(_parameter(key, value) for key, value in parameters.items() if key not in _TOLD_ALONG)


def _parameter(key: str, value: Json) -> str:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"{key}={len(value)}"
    if isinstance(value, list):
        return f"{key}=" + ",".join(value_text("", item) for item in value)
    if isinstance(value, dict):
        return parameters_text({k: v for k, v in value.items() if key != "gray" or k not in START_PARAMETERS})
    return f"{key}={value_text('', value)}"


def step_text(action_id: str) -> str:
    """`#2` of `shop/cart#2`."""
    return "#" + action_id.rpartition("#")[2]


def component_of(action_id: str) -> str:
    """`shop/cart` of `shop/cart#2`."""
    return action_id.rpartition("#")[0] or action_id


def action_text(action: Action) -> str:
    """`scale replica=6`."""
    return f"{action.verb} {parameters_text(action.parameters)}".rstrip()


def notes_text(action: Action) -> str:
    """What an action waits for, and under which condition it is sent."""
    own = str(action.address)
    after = [step_text(r) if component_of(r) == own else component_of(r) for r in action.requires]
    notes = [f"after {', '.join(dict.fromkeys(after))}"] if after else []
    if action.send_if in _CONDITIONS:
        notes.append(_CONDITIONS[action.send_if])
    if action.max_requests > 1:
        notes.append(f"up to {action.max_requests} requests")
    return "; ".join(notes)


def risk_text(risk: Risk, percent: int | None) -> str:
    """`scale_up`, or `traffic 20 %`."""
    return f"{risk} {percent} %" if risk is Risk.TRAFFIC and percent is not None else str(risk)


def duration_text(seconds: float) -> str:
    """`42 s`, `3 min 20 s`."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def finding_text(finding: Finding) -> str:
    """`code: message; hint`, the hint being what to write or to run."""
    return f"{finding.code}: {with_hint(finding.message, finding.hint)}"


def with_hint(message: str, hint: str | None) -> str:
    return f"{message.rstrip('.')}; {hint}" if hint else message


def blocked_rows(plan: Plan) -> list[tuple[str, str]]:
    """Everything denied, and everything blocked by it: address (or the project), and why with the way out.

    A deny on the project names its components in one row, instead of repeating itself for each.
    """
    rows: list[tuple[str, str]] = []
    told: set[tuple[Address | None, str]] = {(f.address, f.code) for f in plan.denies}
    for code in dict.fromkeys(f.code for f in plan.denies if f.address is None):
        rows += [(PROJECT, finding_text(f)) for f in plan.denies if f.address is None and f.code == code]
        names = [b.address for b in plan.blocked if b.because == code and (b.address, b.because) not in told]
        if names:
            rows.append((PROJECT, f"blocks {names_text(names, most=40)}"))
    rows += [(str(f.address), finding_text(f)) for f in plan.denies if f.address is not None]
    for blocked in plan.blocked:
        if (blocked.address, blocked.because) not in told and (None, blocked.because) not in told:
            rows.append((str(blocked.address), _blocked_text(blocked)))
    return rows


def _blocked_text(blocked: Blocked) -> str:
    return blocked.message if blocked.because in blocked.message else f"{blocked.because}: {blocked.message}"


def blocked_count(plan: Plan) -> int:
    """Components without an action because of a deny; a deny on the project counts where it names none."""
    addresses = {b.address for b in plan.blocked} | {f.address for f in plan.denies if f.address is not None}
    return len(addresses) or len(plan.denies)


def outside_text(left: LeftAlone) -> str:
    """`4 -> 10`: what was wished, and what somebody made of it."""
    return f"{value_text(left.path, left.wish)} -> {value_text(left.path, left.observed)}"


def told_once(reasons: Iterable[tuple[Address, str]]) -> list[str]:
    """The reasons of lines about components; what a line of the same component told before is `likewise`, as far as
    it is longer than that."""
    told: set[tuple[Address, str]] = set()
    texts = []
    for address, reason in reasons:
        is_told = len(reason) > _SHORT_ENOUGH and (address, reason) in told
        texts.append("likewise" if is_told else reason)
        told.add((address, reason))
    return texts


def way_back(plan: Plan, left: LeftAlone) -> str:
    """How a value that was changed outside and left alone could be put back, or what keeps it."""
    if left.kept_by is not None:
        command = "--correct-drift" if plan.mode == "normal" else "`statetool apply --correct-drift`"
        return f"{command} does not put it back: {finding_text(left.kept_by)}"
    if left.cause is Cause.BOTH:
        return "the manifest changed too: `statetool apply`"
    if plan.mode == "normal":
        return "--correct-drift puts it back"
    if left.permission is None:
        never = "`drift --correct` never upgrades, promotes or starts a gray release"
        return f"{never}: `statetool apply --correct-drift` does"
    allow = f"allow it with `lifecycle: {{drift: {{{left.permission}: correct}}}}`"
    return f"`drift --correct` may not put it back: {allow}, or `statetool apply --correct-drift`"


def seen_text(left: LeftAlone, clock: InstantWriter) -> str:
    """`seen 4 at 08:00, 10 at 16:32 +08:00`."""
    wrong = f"{value_text(left.path, left.observed)} at {clock.time(left.first_wrong_at)}"
    if left.last_right_at is None:
        return f"seen {wrong} {clock.offset(left.first_wrong_at)}".rstrip()
    right = f"{value_text(left.path, left.wish)} at {clock.time(left.last_right_at)}"
    return f"seen {right}, {wrong} {clock.offset(left.first_wrong_at)}".rstrip()


class InstantWriter:
    """Writes instants in one time zone; the date only where it is not the date of `today` (an instant too)."""

    def __init__(self, zone: tzinfo | None, today: str | None = None) -> None:
        self._zone = zone or UTC
        moment = self._parse(today) if today else None
        self._today = moment.date() if moment else None

    def time(self, instant: str) -> str:
        """`16:32`, or `2026-11-22 16:32`; text that is no instant comes back as it is."""
        moment = self._parse(instant)
        if moment is None:
            return instant
        return moment.strftime("%H:%M" if moment.date() == self._today else "%Y-%m-%d %H:%M")

    def offset(self, instant: str) -> str:
        """`+08:00`, or `UTC`."""
        moment = self._parse(instant)
        if moment is None:
            return ""
        text = moment.strftime("%z")
        return "UTC" if text in ("+0000", "") else f"{text[:3]}:{text[3:5]}"

    def full(self, instant: str) -> str:
        """Time and offset."""
        return f"{self.time(instant)} {self.offset(instant)}".rstrip()

    def _parse(self, instant: str) -> datetime | None:
        try:
            return datetime.fromisoformat(instant).astimezone(self._zone)
        except (ValueError, OverflowError):
            return None


def opening(plan: Plan) -> str:
    """The first sentence of every view of a plan; `No changes.` only where nothing is to do, held back or denied."""
    if plan.actions:
        return "statetool will perform the following actions:"
    if plan.changes:
        return "statetool will record the following; nothing is sent to the platform:"
    if plan.held_back or plan.blocked or plan.denies:
        return "statetool will send nothing now: what the manifests ask for is held back or blocked."
    if plan.left_alone:
        count = len(plan.left_alone)
        verb = "is" if count == 1 else "are"
        return f"No changes. {plural(count, 'value')} changed outside {verb} left alone."
    if plan.mode == "drift":
        return "No changes. Nothing that was changed outside is to be put back."
    if plan.left_out:
        return "No changes. As far as selected, what runs is what the manifests ask for."
    return "No changes. What runs is what the manifests ask for."


def is_settled(plan: Plan) -> bool:
    """Whether nothing is left to do: no change, nothing held back, nothing denied."""
    return not (plan.has_changes or plan.blocked or plan.denies)


def counts_line(plan: Plan) -> str:
    """What is not listed one by one."""
    counts = plan.counts
    return (
        f"{counts.unchanged} unchanged, {plural(counts.ignored, 'ignored difference')}, {counts.unmanaged} unmanaged."
    )


def summary_line(plan: Plan) -> str:
    """The last line of every view. Scripts match `0 to add, 2 to change, 0 to destroy` in it."""
    summary = summarize(plan)
    recorded = sum(1 for c in plan.changes if c.kind is Kind.UPDATE and not c.action_ids)
    kinds = [f"{summary.imports} to import", "0 to add", f"{summary.change} to change", "0 to destroy"]
    kinds.append(f"{summary.forget} to forget")
    kinds += [f"{count} to {word}" for count, word in ((summary.move, "move"), (recorded, "record")) if count]
    line = f"Plan: {', '.join(kinds)}. {plural(summary.actions, 'action')}"
    if summary.highest_risk is None:
        return f"{line}."
    verbs = dict.fromkeys(str(action.verb) for action in plan.actions)
    risk = risk_text(summary.highest_risk, summary.highest_traffic_percent)
    return f"{line}: {', '.join(f'{summary.by_verb[v]} {v}' for v in verbs)}; highest risk {risk}."


def actions_of(change: Change, actions: Mapping[str, Action]) -> list[Action]:
    """The actions of one change, in order."""
    return [actions[i] for i in change.action_ids if i in actions]


def source_text(source: AppliedFrom) -> str:
    """`commit 3f2a1c7 with uncommitted changes, https://...`; empty where neither is known."""
    commit = f"commit {source.commit}{' with uncommitted changes' if source.dirty else ''}" if source.commit else ""
    return ", ".join(part for part in (commit, source.run_url) if part)


def names_text(addresses: Iterable[Address], most: int = 8) -> str:
    """Addresses in a row, cut with a count behind `most`."""
    names: Sequence[str] = [str(a) for a in addresses]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def scope_lines(plan: Plan) -> list[str]:
    """Where the plan would be applied, what was switched off for it, and what it leaves out."""
    lines = [f"Platform {plan.endpoint}, project {plan.project_id}."]
    if plan.overrides:
        lines.append(f"Overridden for this run: {', '.join(plan.overrides)}.")
    if plan.left_out:
        lines.append(left_out_text(plan.left_out))
    return lines


def left_out_text(addresses: Sequence[Address]) -> str:
    """What nobody selected, so that a part is not taken for the whole."""
    return f"{len(addresses)} left out, not selected: {names_text(addresses)}."
