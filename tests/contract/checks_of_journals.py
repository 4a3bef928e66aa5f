"""What every backend promises of its journal: order, whole batches, replacing, and that no other lease gets in."""

from __future__ import annotations

from functools import partial

from contract_kit import Check, Checks, Place, entries, first_state, held, seen_while, store, texts, with_cart

from statetool.backends import JournalEntry
from statetool.core.model import Json

CHECKS: list[Check] = []
check = Checks(CHECKS)


@check
def a_journal_keeps_the_order_over_batches_and_holders(place: Place) -> None:
    """Every client reads the same, oldest first."""
    one, two = place.open(), place.open()
    with held(one) as lease:
        one.append(entries("a"), lease)
        one.append(entries("b", "c", "d"), lease)
        assert texts(one.read_journal()) == "abcd"
    with held(two, "bob") as lease:
        two.append(entries("e", "f"), lease)
        two.append(entries("g"), lease)
    with held(one) as lease:
        one.append(entries("h"), lease)
    assert texts(place.open().read_journal()) == texts(one.read_journal()) == texts(two.read_journal()) == "abcdefgh"


@check
def many_entries_keep_their_order(place: Place) -> None:
    """More than nine, more than ninety-nine: numbers are not texts; equal entries are not one."""
    backend = place.open()
    expected: list[JournalEntry] = []
    with held(backend) as lease:
        for batch in range(12):
            added = [{"batch": batch, "number": number} for number in range(10)] + [{"same": True}]
            backend.append(added, lease)
            expected += added
    assert list(place.open().read_journal()) == expected


@check
def an_empty_batch_is_nothing(place: Place) -> None:
    """Before the first entry, and behind others."""
    backend = place.open()
    with held(backend) as lease:
        backend.append((), lease)
        assert backend.read_journal() == ()
        backend.append(entries("a"), lease)
        backend.append((), lease)
        backend.append(entries("b"), lease)
    assert texts(place.open().read_journal()) == "ab"


@check
def an_entry_may_say_anything(place: Place) -> None:
    """All that JSON can, as it was: every kind of value, deep, in any language, and codes that some stores drop."""
    plain: dict[str, Json] = {
        "": "empty key",
        "kinds": [None, True, False, 0, -1, 2**53 - 1, 0.1, 1e300, -2.5e-7, "", [], {}],
        "words": "é 生产 🚀 \u0000 \u001b[0m \u2028\u2029 \ufeff \u202e \r\n\t \\ \" ' $$ %s {x} </a> \\u0041 \x7f",
        "ключ 'с' \"кавычками\"\n": {"deep": [[[[[[{"er": ["x"]}]]]]]]},
    }
    surrogate: dict[str, Json] = {"half a letter": "\ud83d and \udc80"}
    backend = place.open()
    with held(backend) as lease:
        backend.append([plain, surrogate], lease)
    assert place.open().read_journal() == (plain, surrogate)


@check
def an_entry_may_be_long(place: Place) -> None:
    """100 kB in one, among short ones, and again behind it."""
    long = "a long é " * 11_000
    backend = place.open()
    with held(backend) as lease:
        backend.append(entries("a", long, "b"), lease)
        backend.append(entries("c"), lease)
        backend.append(entries(long), lease)
    assert texts(place.open().read_journal()) == f"a{long}bc{long}"


@check
def a_replaced_journal_holds_only_what_replaced_it(place: Place) -> None:
    """Also nothing; and what is appended afterwards stands behind that, whoever appends."""
    one, two = place.open(), place.open()
    with held(one) as lease:
        one.replace_journal(entries("a", "b"), lease)
        assert texts(two.read_journal()) == "ab"
        one.append(entries("c", "d", "e"), lease)
        one.replace_journal(entries("d"), lease)
        assert texts(two.read_journal()) == "d"
        one.append(entries("f"), lease)
        assert texts(place.open().read_journal()) == texts(one.read_journal()) == "df"
        one.replace_journal((), lease)
        assert place.open().read_journal() == one.read_journal() == ()
        one.append(entries("g"), lease)
    with held(two, "bob") as lease:
        two.append(entries("h"), lease)
        assert texts(one.read_journal()) == "gh"
        two.replace_journal((), lease)
    with held(one) as lease:
        one.append(entries("i"), lease)
    assert texts(place.open().read_journal()) == texts(two.read_journal()) == "i"


@check
def a_journal_needs_no_state(place: Place) -> None:
    """It is there before the first state, and after it; and it stores none."""
    backend = place.open()
    with held(backend) as lease:
        backend.append(entries("a"), lease)
    assert place.open().read() is None
    stored = store(place.open(), None, first_state())
    with held(backend) as lease:
        backend.append(entries("b"), lease)
        backend.replace_journal(entries("c"), lease)
    assert place.open().read() == stored
    assert texts(place.open().read_journal()) == "c"


@check
def a_journal_makes_no_serial(place: Place) -> None:
    """What is appended between two writes moves nothing: the state is still the one that was read."""
    one, two = place.open(), place.open()
    base = store(one, None, first_state())
    with held(two, "bob") as lease:
        two.append(entries("a"), lease)
        two.replace_journal(entries("b"), lease)
    assert one.read() == base
    assert store(one, base, with_cart(base, "c2")).serial == 2
    assert len(place.open().read_history()) in (0, 2)


@check
def a_journal_is_read_without_a_lock(place: Place) -> None:
    """While somebody appends; and by that one itself."""
    backend = place.open()
    with held(backend, "ann") as lease:
        for number, letter in enumerate("abc", 1):
            backend.append(entries(letter), lease)
            assert texts(place.open().read_journal()) == texts(backend.read_journal()) == "abc"[:number]


@check
def readers_see_whole_batches_only(place: Place) -> None:
    """What was appended by then, batch by batch, never less than what was seen before."""
    one, two = place.open(), place.open()
    batches = [entries(*letter * 3) for letter in "abcdef"]
    whole = "".join(map(texts, batches))
    with held(one) as lease:
        appends = [partial(one.append, batch, lease) for batch in batches]
        seen = seen_while(lambda: texts(two.read_journal()), appends)
    assert set(seen) <= {whole[:length] for length in range(0, len(whole) + 1, 3)}
    assert [len(text) for text in seen] == sorted(len(text) for text in seen)
    assert seen[-1] == whole


@check
def readers_see_a_replacing_in_one_step(place: Place) -> None:
    """What was there or what is there now, never both, never neither."""
    one, two = place.open(), place.open()
    with held(one) as lease:
        steps = [
            partial(one.replace_journal, entries("a"), lease),
            partial(one.append, entries("b", "c"), lease),
            partial(one.replace_journal, entries("d", "e"), lease),
            partial(one.replace_journal, entries("f"), lease),
            partial(one.append, entries("g"), lease),
        ]
        seen = seen_while(lambda: texts(two.read_journal()), steps)
    positions = [["", "a", "abc", "de", "f", "fg"].index(text) for text in seen]
    assert positions == sorted(positions)
    assert seen[-1] == "fg"
