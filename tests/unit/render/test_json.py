"""Machine output: events as lines, diagnostics and documents as JSON."""

from __future__ import annotations

import json

from render_golden import check_golden
from render_records import Recorder, eventful_run

from statetool.core.events import EventType
from statetool.errors import Diagnostic, SourceMark
from statetool.render.json import diagnostics_to_document, event_to_line, render_document


def test_stream() -> None:
    """Every type of event as it is written to the stream."""
    check_golden("events.jsonl", "\n".join(event_to_line(event) for event in eventful_run()))


def test_data_cannot_replace_the_envelope() -> None:
    """A fact of the platform that is called like a field of the line does not get its place."""
    event = Recorder().add(EventType.ACTION_COMPLETE, "shop/cart#1", seq=99, type="x", **{"@level": "debug"})
    line = json.loads(event_to_line(event))
    assert (line["seq"], line["type"], line["@level"]) == (1, "action_complete", "info")


def test_line_stays_one_line_and_valid() -> None:
    """Line separators are escaped, and numbers that JSON does not know become null."""
    event = Recorder().add(
        EventType.ACTION_ERRORED, "a/b#1", message="x\n\u2028\x1b\ud800", code="c", moved=float("nan")
    )
    line = event_to_line(event)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert json.loads(line)["moved"] is None


def test_diagnostics_document() -> None:
    """The shape that a failing command prints in JSON mode."""
    diagnostic = Diagnostic(
        "unknown_key",
        "unknown key 'replica' in component cart",
        "did you mean 'replicas'?",
        SourceMark("manifests/shop.yaml", 14, 7),
        "shop/cart",
    )
    assert diagnostics_to_document([diagnostic]) == {
        "format_version": "1.0",
        "errored": True,
        "diagnostics": [
            {
                "severity": "error",
                "code": "unknown_key",
                "message": "unknown key 'replica' in component cart",
                "hint": "did you mean 'replicas'?",
                "address": "shop/cart",
                "range": {"filename": "manifests/shop.yaml", "start": {"line": 14, "column": 7}},
            }
        ],
    }


def test_warnings_alone_are_not_errored() -> None:
    """What is not there is left out, and a warning does not fail anything."""
    document = diagnostics_to_document([Diagnostic("c", "m", severity="warning")])
    assert document["errored"] is False
    assert document["diagnostics"] == [{"severity": "warning", "code": "c", "message": "m"}]


def test_document_is_indented_ascii() -> None:
    """Documents read well in a terminal of any encoding."""
    assert render_document({"a": ["é"]}) == '{\n  "a": [\n    "\\u00e9"\n  ]\n}'
