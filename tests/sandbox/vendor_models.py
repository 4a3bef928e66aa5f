"""Answers beside the vendor's models of them: whether anything got lost on the way from JSON, or has no place there."""

import json

# What the sandbox sends and the SDK has no attribute for, and who says that the platform sends it.
NEWER = {
    ("ShowComponentInfoResponse", "external_accesses"): "newer documents (section 3.3)",
    ("ComponentStatusView", "enterprise_project_id"): "newer documents (section 6)",
    ("ComponentEnvironment", "inner"): "TF: marks the platform's own entries (section 3.2)",
    ("UpdateComponentActionResponse", "component_id"): "06_0082 since 2025-07-10 (section 4.2)",
    ("ShowRuntimeStacksResponse", "runtime_stacks"): "TF, where the SDK reads runtimestacks (section 2)",
    ("RuntimeStackView", "id"): "TF (section 2)",
    ("RuntimeStackView", "url"): "TF (section 2)",
    ("TaskInfo", "name"): "06_0190, where the SDK reads task_name (section 7)",
    ("TaskInfo", "status"): "06_0190, where the SDK reads task_status (section 7)",
    ("TaskInfo", "type"): "06_0190, where the SDK reads task_type (section 7)",
    ("TaskInfo", "index"): "06_0190 (section 7)",
    ("Application", "unified_model"): "documents (section 3.1)",
    ("ShowApplicationInfoResponse", "unified_model"): "documents (section 3.1)",
    ("ModifyApplicationResponse", "unified_model"): "documents (section 3.1)",
    ("CreateApplicationResponse", "unified_model"): "documents (section 3.1)",
    ("CreateApplicationResponse", "component_count"): "documents: an application, whoever asks (section 3.1)",
}


def plain(value):
    """A value of the SDK's models as JSON values, without what is not set."""
    if hasattr(value, "attribute_map"):
        fields = ((name, getattr(value, key)) for key, name in value.attribute_map.items())
        return {name: plain(item) for name, item in fields if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value.value)


def part(sent, shown):
    """Whether all of `sent` is in `shown`; lists may go on."""
    if isinstance(sent, dict):
        return isinstance(shown, dict) and all(key in shown and part(sent[key], shown[key]) for key in sent)
    if isinstance(sent, list):
        return len(shown) >= len(sent) and all(part(a, b) for a, b in zip(sent, shown, strict=False))
    return sent == shown


def strangers(model, value):
    """(model, key) of everything in a value that its model has no attribute for."""
    if isinstance(value, dict) and hasattr(model, "attribute_map"):
        known = {name: key for key, name in model.attribute_map.items()}
        found = {(type(model).__name__, name) for name in value.keys() - known.keys()}
        inner = (strangers(getattr(model, known[name]), value[name]) for name in value.keys() & known.keys())
        return found.union(*inner)
    if isinstance(value, list) and isinstance(model, list):
        return set().union(*(strangers(*pair) for pair in zip(model, value, strict=True)))
    return set()


def ensure_nothing_lost(answer, but=()):
    """Every field of the SDK's model came, every value that came is in the model, and what came besides is in NEWER.

    `but`: fields of the model the documents leave to the circumstances.
    """
    raw = json.loads(answer.raw_content)
    for name in answer.attribute_map.values():
        assert name in raw or name in but, f"{type(answer).__name__}.{name} did not come"

    def compare(model, value, where):
        if value == "GRAYING":
            # A word in no version of the SDK, which reads it as nothing: the platform's gap, not the sandbox's.
            assert where.endswith(".component_status") and plain(model) == {}
        elif isinstance(value, dict) and hasattr(model, "attribute_map"):
            for key, name in model.attribute_map.items():
                if value.get(name) is not None:
                    compare(getattr(model, key), value[name], f"{where}.{name}")
        elif isinstance(value, list):
            assert len(model) == len(value), where
            for index, pair in enumerate(zip(model, value, strict=True)):
                compare(*pair, f"{where}[{index}]")
        else:
            assert plain(model) == value, where

    compare(answer, raw, type(answer).__name__)
    unknown = strangers(answer, raw) - NEWER.keys()
    assert not unknown, f"no attribute of the SDK's models, and no source named: {unknown}"
    return answer
