"""Plans made by hand for the tests of views: one rich plan with a bit of everything, and small variations."""

from __future__ import annotations

from statetool.core.model import Address, Json, Rejection
from statetool.core.plan import (
    Action,
    Blocked,
    Cause,
    Change,
    Counts,
    FieldChange,
    Finding,
    HeldBack,
    Kind,
    LeftAlone,
    Plan,
    RejectionSeen,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
)
from statetool.errors import SourceMark

CREATED_AT = "2026-11-23T08:40:00Z"


def make_plan(**parts: object) -> Plan:
    """A plan against a loopback platform; `parts` replace fields."""
    base: dict[str, object] = {
        "mode": "normal",
        "created_at": CREATED_AT,
        "endpoint": "http://127.0.0.1:9000",
        "project_id": "0123456789abcdef0123456789abcdef",
        "lineage": "6f9c",
        "serial": 12,
        "tool_version": "0.1.0",
        "counts": Counts(unchanged=38, ignored=1, unmanaged=2),
    }
    return Plan(**{**base, **parts})  # type: ignore[arg-type]


def make_action(
    action_id: str,
    verb: Verb,
    parameters: dict[str, Json],
    risk: Risk,
    *,
    requires: tuple[str, ...] = (),
    estimate_s: int = 30,
    traffic_percent: int | None = None,
    send_if: SendIf = SendIf.ALWAYS,
    max_requests: int = 1,
    precondition: dict[str, Json] | None = None,
) -> Action:
    """An action of the component its id names."""
    return Action(
        id=action_id,
        address=Address.parse(action_id.rpartition("#")[0]),
        verb=verb,
        parameters=parameters,
        reason="",
        risk=risk,
        requires=requires,
        precondition=precondition or {"status": "ready"},
        goal={},
        estimate_s=estimate_s,
        traffic_percent=traffic_percent,
        send_if=send_if,
        max_requests=max_requests,
    )


def make_change(
    address: str,
    *fields: FieldChange,
    kind: Kind = Kind.UPDATE,
    actions: tuple[str, ...] = (),
    line: int | None = 9,
    file: str = "manifests/shop.yaml",
    updates: tuple[WishUpdate, ...] = (),
    moved_from: str | None = None,
) -> Change:
    """A change of one component; `line` None means it left the manifests."""
    return Change(
        address=Address.parse(address),
        component_id="c0ffee00",
        application_id="a1",
        environment_id=None,
        kind=kind,
        origin=SourceMark(file, line, 3) if line is not None else None,
        fields=fields,
        action_ids=actions,
        updates=updates,
        moved_from=Address.parse(moved_from) if moved_from else None,
    )


def rule(key: str, value: str, condition: str = "equal") -> dict[str, Json]:
    return {"type": "header", "key": key, "condition": condition, "value": value}


def readme_plan() -> Plan:
    """The plan that the command line's description shows."""
    return make_plan(
        changes=(
            make_change(
                "shop/cart",
                FieldChange("replicas", 4, 6, Cause.MANIFEST),
                FieldChange("version", "1.4.2", "1.4.1", Cause.MANIFEST),
                actions=("shop/cart#1", "shop/cart#2"),
            ),
            make_change(
                "shop/search",
                FieldChange("gray.weight", 10, 20, Cause.MANIFEST),
                actions=("shop/search#1",),
                line=14,
            ),
        ),
        actions=(
            make_action("shop/cart#1", Verb.ROLLBACK, {"version": "1.4.1"}, Risk.REVERT, estimate_s=90),
            make_action("shop/cart#2", Verb.SCALE, {"replica": 6}, Risk.SCALE_UP, requires=("shop/cart#1",)),
            make_action(
                "shop/search#1",
                Verb.MODIFY_GRAY_RULE,
                {"weight": 20},
                Risk.TRAFFIC,
                requires=("shop/cart#2",),
                estimate_s=0,
                traffic_percent=20,
            ),
        ),
        left_alone=(_left("pay", "replicas", (4, 10), "2026-11-23T00:00:00Z", "2026-11-23T08:32:00Z"),),
        blocked=(Blocked(Address("shop", "queue"), "version_rejected", "version_rejected"),),
        findings=(
            Finding(
                "version_rejected",
                "deny",
                '2.2.0 was rolled back at 03:12 ("5xx")',
                "name another version or `statetool rollout clear`",
                Address("shop", "queue"),
            ),
        ),
    )


def _left(name: str, path: str, moved: tuple[Json, Json], right_at: str | None, wrong_at: str) -> LeftAlone:
    """A value that a permission of its own field would put back."""
    return LeftAlone(Address("shop", name), path, *moved, right_at, wrong_at, permission=path)


def rich_plan() -> Plan:
    """Every section, every kind of change, wide characters, and a dependency that is blocked."""
    return make_plan(
        changes=_rich_changes(),
        actions=_rich_actions(),
        held_back=(
            HeldBack(
                Address("shop", "stock"),
                "replicas",
                "deferred_gray",
                "a gray release of 3.1.0 runs, and the platform counts both versions",
                "promote or abort it first",
            ),
        ),
        left_alone=(
            _left("pay", "replicas", (4, 10), "2026-11-22T23:00:00Z", "2026-11-23T08:32:00Z"),
            _left("mail", "state", ("running", "stopped"), None, "2026-11-23T08:40:00Z"),
        ),
        blocked=(
            Blocked(Address("shop", "queue"), "version_rejected", "denied"),
            Blocked(Address("shop", "worker"), "shop/queue", "depends on shop/queue, which is blocked"),
        ),
        findings=_rich_findings(),
        rejections=(
            RejectionSeen(
                Address("shop", "queue"), Rejection("2.2.0", "2026-11-23T03:12:00Z", "outside", "ended outside", None)
            ),
        ),
        unmanaged=(Address("shop", "debug"), Address("shop", "tmp-load")),
        overrides=("rollback_twice",),
        left_out=(Address("crm", "api"), Address("crm", "web")),
    )


def _rich_changes() -> tuple[Change, ...]:
    return (
        make_change(
            "shop/cart",
            FieldChange("version", "1.4.2", "1.4.1", Cause.MANIFEST),
            FieldChange("replicas", 10, 6, Cause.BOTH, wish=4),
            actions=("shop/cart#1", "shop/cart#2"),
        ),
        make_change(
            "shop/checkout",
            FieldChange("gray.match", "any", "all", Cause.MANIFEST),
            FieldChange(
                "gray.rules",
                [rule("x-region", "north"), rule("x-user-tier", "beta")],
                [rule("x-region", "north"), rule("x-user-tier", "beta, gamma", "in")],
                Cause.MANIFEST,
            ),
            actions=("shop/checkout#1",),
            line=22,
        ),
        make_change(
            "shop/推荐服务@生产",
            FieldChange("state", "stopped", "running", Cause.DRIFT),
            actions=("shop/推荐服务@生产#1", "shop/推荐服务@生产#2"),
            file="manifests/推荐.yaml",
            line=3,
        ),
        make_change(
            "shop/search",
            FieldChange("version", "2.1.0", "2.2.0", Cause.MANIFEST),
            FieldChange("gray.version", "2.2.0", None, Cause.MANIFEST),
            FieldChange("gray.weight", 20, None, Cause.MANIFEST),
            actions=("shop/search#1", "shop/search#2"),
            line=31,
        ),
        make_change(
            "shop/ads",
            FieldChange("version", "1.0.0", "1.0.0", Cause.ADOPT),
            FieldChange("replicas", 3, 3, Cause.ADOPT),
            kind=Kind.ADOPT,
            line=40,
        ),
        make_change(
            "shop/currency",
            FieldChange("replicas", 3, None, Cause.MANIFEST),
            FieldChange("version", "1.0.1", "1.0.1", Cause.MANIFEST),
            line=44,
            updates=(WishUpdate("replicas", None), WishUpdate("version", None)),
        ),
        make_change("shop/new-name", kind=Kind.MOVE, moved_from="shop/old-name", line=50),
        make_change("shop/gone", kind=Kind.FORGET, line=None),
    )


def _rich_actions() -> tuple[Action, ...]:
    wide = "shop/推荐服务@生产"
    return (
        make_action("shop/cart#1", Verb.ROLLBACK, {"version": "1.4.1"}, Risk.REVERT, estimate_s=90),
        make_action("shop/cart#2", Verb.SCALE, {"replica": 6}, Risk.SCALE_DOWN, requires=("shop/cart#1",)),
        make_action(
            "shop/checkout#1",
            Verb.MODIFY_GRAY_RULE,
            {"match": "all", "rules": [rule("x-region", "north"), rule("x-user-tier", "beta, gamma", "in")]},
            Risk.TRAFFIC,
            requires=("shop/cart#2", "shop/search#2"),
            traffic_percent=100,
            estimate_s=10,
        ),
        make_action(f"{wide}#1", Verb.START, {}, Risk.POWER, estimate_s=60),
        make_action(
            f"{wide}#2",
            Verb.SCALE,
            {"replica": 4},
            Risk.SCALE_UP,
            requires=(f"{wide}#1",),
            send_if=SendIf.DIFFERENT,
        ),
        make_action("shop/search#1", Verb.CONTINUE_DEPLOY, {}, Risk.VERSION, estimate_s=180, max_requests=4),
        make_action(
            "shop/search#2",
            Verb.SCALE,
            {"replica": 5},
            Risk.SCALE_UP,
            requires=("shop/search#1",),
            send_if=SendIf.FEWER,
        ),
    )


def _rich_findings() -> tuple[Finding, ...]:
    return (
        Finding(
            "version_rejected",
            "deny",
            '2.2.0 was rolled back at 03:12 ("5xx").',
            "name another version, or run `statetool rollout clear shop/queue 2.2.0 --reason TEXT`",
            Address("shop", "queue"),
        ),
        Finding(
            "overwrites_outside_change",
            "warn",
            "replicas was 4 when last applied, is 10 now, and the manifest says 6",
            "say 10 in the manifest to keep the change",
            Address("shop", "cart"),
        ),
        Finding("state_new", "warn", "there is no state yet; apply creates it"),
    )
