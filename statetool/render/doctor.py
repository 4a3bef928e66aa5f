"""The words of `statetool doctor`: what was found, and what to mend.

Owns the sentence and the advice of every code of a check, and how checks are laid out as text and as a document. It
must not judge: whether something is wrong is decided in `doctor/`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from statetool.core.checks import PERMISSIONS, Check, CheckStatus, Topic, has_failed
from statetool.core.model import Json
from statetool.errors import Diagnostic
from statetool.render.json import FORMAT_VERSION, diagnostic_to_json
from statetool.render.layout import Cell, Page, cell
from statetool.render.words import CREDENTIAL_KINDS, EPHEMERAL_STATE, EPHEMERAL_STATE_ADVICE, plural

Facts = Mapping[str, Json]

_MOST_PROBLEMS = 3
_NAMES: Mapping[Topic, str] = {Topic.STATE_FOLDER: "state folder", Topic.CHANGES: "right to change"}
_STATUS: Mapping[CheckStatus, tuple[str, str]] = {
    CheckStatus.OK: ("ok", "green"),
    CheckStatus.WARNING: ("warning", "yellow"),
    CheckStatus.FAILED: ("failed", "red"),
    CheckStatus.NOT_REACHED: ("not reached", "dim"),
}


def _clock_text(facts: Facts) -> str:
    ahead_s = _number(facts, "ahead_s")
    return (
        f"this machine's clock is {_span_text(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} the platform's"
    )


def _credentials_text(facts: Facts) -> str:
    """`an access key, from environment HW_ACCESS_KEY`, and when it ends."""
    kind = str(facts.get("kind"))
    shown = CREDENTIAL_KINDS.get(kind, kind)
    origin = "" if kind == "agency" else f", from {facts.get('origin')}"
    left = facts.get("remaining_s")
    if isinstance(left, int):
        end = f"; good for {_span_text(max(left, 0))} more, and renewed before that"
    else:
        end = "; when it ends is not known here" if kind in ("token", "temporary_access_key") else ""
    return f"{shown}{origin}{end}"


def _endpoint_text(facts: Facts) -> str:
    addresses = facts.get("addresses")
    names = ", ".join(str(a) for a in addresses) if isinstance(addresses, list) else ""
    tls = f", trusted ({facts['tls']})" if facts.get("tls") else ""
    return f"{facts.get('endpoint')} answers: name ({names}), connection{tls}, HTTP"


def _lock_text(facts: Facts) -> str:
    run = f", run {facts['run_id']}" if facts.get("run_id") else ""
    job = f", {facts['ci_url']}" if facts.get("ci_url") else ""
    who = f"{facts.get('who')} (host {facts.get('host')}, pid {facts.get('pid')})"
    return f"held by {who}: {facts.get('operation')} since {facts.get('since')}{run}{job}"


def _project_text(facts: Facts) -> str:
    origin = "as a sandbox has it" if facts.get("origin") == "default" else str(facts.get("origin"))
    region = f", region {facts['region']}" if facts.get("region") else ""
    return f"{facts.get('project_id')} ({origin}){region}"


_SENTENCES: Mapping[str, Callable[[Facts], str]] = {
    "configuration_valid": lambda f: f"statetool.yaml in {f['folder']} is valid",
    "manifests_valid": lambda f: (
        f"{plural(_number(f, 'components'), 'component')} in {plural(_number(f, 'files'), 'file')}"
    ),
    "state_absent": lambda f: f"backend {f['backend']}: there is none yet at {f['location']}; the first apply makes it",
    "state_read": lambda f: (
        f"backend {f['backend']}: {f['location']} holds {plural(_number(f, 'components'), 'component')}: "
        f"serial {f['serial']}, lineage {f['lineage']}"
    ),
    "state_folder_fit": lambda f: f"{f['folder']} can be written, and nobody else may read the state",
    "ephemeral_state": lambda f: EPHEMERAL_STATE.format(folder=f["folder"]),
    "lock_free": lambda f: "free",
    "lock_not_shown": lambda f: "this backend does not show its lock, it only refuses",
    "lock_held": _lock_text,
    "clock_in_process": lambda f: "the sandbox of this process goes by this machine's clock",
    "clock_right": lambda f: "right to the minute, by the platform's Date header",
    "clock_off": _clock_text,
    "clock_off_for_signatures": lambda f: f"{_clock_text(f)}; a signature may be off by 15 min, so none is sent",
    "no_date": lambda f: "the endpoint's answer holds no Date header to compare with",
    "credentials_in_process": lambda f: "the sandbox of this process needs none",
    "credentials_found": _credentials_text,
    "credentials_accepted": lambda f: f"{_credentials_text(f)}; accepted by the platform",
    "endpoint_in_process": lambda f: "the sandbox of this process; nothing leaves this machine",
    "endpoint_answers": _endpoint_text,
    "sandbox_opens": lambda f: f"{f['path']} is a sandbox world",
    "sandbox_absent": lambda f: f"there is no world yet at {f['path']}",
    "project_known": _project_text,
    "applications_read": lambda f: plural(_number(f, "count"), "application"),
    "components_read": lambda f: f"{plural(_number(f, 'count'), 'component')} in application {f['application']}",
    "records_read": lambda f: f"{plural(_number(f, 'count'), 'record')} of {f['address']}",
    "job_read": lambda f: f"{f['job_id']} of {f['address']}: {f['status']}",
    "job_gone": lambda f: f"{f['job_id']} of {f['address']} is no longer known; jobs may be looked up",
    "permission_missing": lambda f: f"this user may not look here; it takes the permission {f['permission']}",
    "changes_in_process": lambda f: "the sandbox of this process lets everybody change everything",
    "only_by_doing": lambda f: (
        "reading can't show whether this user may change components: the first apply does; it takes the permission "
        f"{PERMISSIONS[Topic.CHANGES]}"
    ),
    "versions": lambda f: f"statetool {f['tool']}, Python {f['python']}, {f['system']}",
    "needs_configuration": lambda f: "needs a configuration that is valid",
    "needs_state": lambda f: "needs a state that can be read",
    "needs_sandbox": lambda f: "needs the sandbox's world",
    "needs_endpoint": lambda f: "needs an endpoint that can be reached",
    "needs_credentials": lambda f: "needs credentials that are accepted",
    "needs_clock": lambda f: "needs the right clock; nothing was signed",
    "needs_project": lambda f: "needs the project's id",
    "needs_applications": lambda f: "needs the list of applications",
    "needs_components": lambda f: "needs the list of components",
    "nothing_there": lambda f: "there is nothing to look at yet",
}
"""What was found, by code. What failed in its own words has no line here."""

_ADVICE: Mapping[str, Callable[[Facts], str]] = {
    "ephemeral_state": lambda f: EPHEMERAL_STATE_ADVICE,
    "lock_held": lambda f: (
        "wait for that run to end, or give `--lock-timeout`; `statetool lock show` says how far it is"
    ),
    "clock_off": lambda f: "set the clock (NTP); from 15 min on the platform refuses signatures",
    "clock_off_for_signatures": lambda f: "set the clock (NTP), then run this again",
    "sandbox_absent": lambda f: "`statetool sandbox seed FILE` makes it",
    "permission_missing": lambda f: f"ask the account's administrator to grant {f['permission']} to this user",
}
"""What to mend, by code."""


def render_doctor(checks: Sequence[Check], *, width: int | None = None, color: bool = False) -> str:
    """One check a paragraph: how it ended, its topic, a sentence, and below it what to mend; then the sum."""
    page = Page(width=width, color=color)
    words = max((cell(word).width for word, _ in _STATUS.values()), default=0)
    names = max((cell(_name(check.topic)).width for check in checks), default=0)
    column = 2 + words + 2 + names + 2
    for check in checks:
        word, style = _STATUS[check.status]
        left = [Cell("  "), cell(word.ljust(words), style), Cell("  "), cell(_name(check.topic))]
        for sentence, advice in _paragraphs(check):
            page.split(left, [cell(sentence)], column)
            if advice:
                page.split([], [cell(f"fix: {advice}")], column)
            left = []
    page.blank()
    page.line(cell(_sum_text(checks), "bold"))
    return page.text()


def doctor_to_document(checks: Sequence[Check], tool_version: str) -> dict[str, Json]:
    """`errored` is true where at least one check failed. Diagnostics only where something failed in its own words."""
    counts = Counter(check.status for check in checks)
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "errored": has_failed(checks),
        "checks": [_check_to_json(check) for check in checks],
        "summary": {str(status): counts[status] for status in CheckStatus},
    }


def _check_to_json(check: Check) -> dict[str, Json]:
    told = _paragraphs(check)
    advice = next((advice for _, advice in told if advice), None)
    shown: dict[str, Json] = {
        "topic": str(check.topic),
        "status": str(check.status),
        "code": check.code,
        "message": told[0][0],
    }
    if advice:
        shown["hint"] = advice
    if check.facts:
        shown["facts"] = dict(check.facts)
    if check.problems:
        shown["diagnostics"] = [diagnostic_to_json(problem) for problem in check.problems]
    return shown


def _paragraphs(check: Check) -> list[tuple[str, str | None]]:
    """Sentences, each with what to mend. Of many problems the first few: other commands list them all."""
    permission = PERMISSIONS.get(check.topic)
    if check.code in _SENTENCES:
        sentence, advice = _SENTENCES[check.code](check.facts), _ADVICE.get(check.code)
        if check.code == "needs_credentials" and permission:
            sentence += f" and the permission {permission}"
        told = [sentence, *(_problem_text(problem) for problem in check.problems)]
        return [*((text, None) for text in told[:-1]), (told[-1], advice(check.facts) if advice else None)]
    shown = [(_problem_text(problem), problem.hint) for problem in check.problems[:_MOST_PROBLEMS]]
    left = len(check.problems) - len(shown)
    return [*shown, (f"and {left} more", "`statetool validate` lists them all")] if left else shown


def _problem_text(problem: Diagnostic) -> str:
    return f"{problem.mark}: {problem.message}" if problem.mark else problem.message


def _sum_text(checks: Sequence[Check]) -> str:
    counts = Counter(check.status for check in checks)
    warnings = plural(counts[CheckStatus.WARNING], "warning")
    told = [f"{counts[CheckStatus.OK]} ok", warnings, f"{counts[CheckStatus.FAILED]} failed"]
    unreached = counts[CheckStatus.NOT_REACHED]
    return ", ".join([*told, f"{unreached} not reached"]) + "."


def _name(topic: Topic) -> str:
    return _NAMES.get(topic, str(topic))


def _span_text(seconds: int) -> str:
    """`42 s`, `1 h 5 min`: to the minute from two minutes on."""
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    return " ".join(f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number)


def _number(facts: Facts, key: str) -> int:
    value = facts.get(key)
    return value if isinstance(value, int) else 0
