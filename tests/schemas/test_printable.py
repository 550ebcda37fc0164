"""The text of strangers can always be said again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import RequestOutcome
from schemas.printable import Asked, asked, printable
from schemas.units import utc_now

ANY = st.text(st.characters(exclude_categories=()), max_size=100)
"""Also what UTF-8 cannot say: halves of surrogate pairs."""


@given(ANY)
def test_whatever_it_was_it_is_one_line_of_a_message(text: str) -> None:
    safe = printable(text)
    said = RequestOutcome(id=safe, at=utc_now(), followed=False, reason=safe).model_dump_json().encode()
    assert RequestOutcome.model_validate_json(said).reason == safe
    assert len(safe.splitlines()) <= 1
    assert len(safe) == len(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))).filter(str.isprintable))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable(text) == text[:500]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Jürgen Å, 北京 ☀", "Jürgen Å, 北京 ☀"),
        ("\ud800", "\ufffd"),
        ("anna\n12:00:00 dispatch INFO auto", "anna\ufffd12:00:00 dispatch INFO auto"),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("ab\u202edc", "ab\ufffddc"),
        ("x" * 600, "x" * 500),
    ],
    ids=["plain", "half a pair", "second line", "escape sequence", "turned round", "long"],
)
def test_what_is_not_text_is_marked(text: str, safe: str) -> None:
    assert printable(text) == safe


@given(st.binary(max_size=200))
def test_an_id_can_be_read_out_of_anything(payload: bytes) -> None:
    "".join(asked(payload)).encode()


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b'{"id": "c7", "at": 3}', "c7"),
        (b'{"id": "' + b"c" * 100 + b'"}', "c" * 64),
        (b'{"id": "\\ud800"}', "\ufffd"),
        (b'{"id": ""}', "unknown"),
        (b'{"id": 7}', "unknown"),
        (b'["id"]', "unknown"),
        (b'{"id": ' + b"9" * 5000 + b"}", "unknown"),
        (b"[" * 100_000, "unknown"),
        (b"\xff", "unknown"),
        (b"", "unknown"),
    ],
)
def test_the_id_of_a_request_that_is_not_valid(payload: bytes, name: str) -> None:
    assert asked(payload) == Asked(name)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"id": "r1", "who": "anna", "mode": "auto", "at": 3}', Asked("r1", "anna", "auto")),
        (b'{"who": "anna", "action": "reset"}', Asked(who="anna", wish="reset")),
        (b'{"who": ["anna"], "mode": 7, "action": "reset\\u202e"}', Asked(wish="reset\ufffd")),
    ],
)
def test_who_asked_for_what_is_told_although_it_is_not_valid(payload: bytes, said: Asked) -> None:
    assert asked(payload) == said
