"""What a value of Iru's becomes in an Import Set."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.inventory.cells import Unusable, boolean, digest, number, scalar, text, timestamp


@pytest.mark.parametrize(("given_value", "sent"), [(True, "true"), (False, "false")])
def test_booleans_are_lower_case(given_value, sent):
    """A boolean is sent in lower case, because TRUE transforms to false."""
    assert text(given_value) == sent
    assert boolean(given_value) == sent


@pytest.mark.parametrize("word", ["TRUE", "True", "true", "yes", "1", 1])
def test_every_spelling_of_true_becomes_lower_case(word):
    """Words that mean true reach ServiceNow as true."""
    assert boolean(word) == "true"


def test_a_word_that_is_no_boolean_is_refused():
    """A value that is neither true nor false is not guessed."""
    with pytest.raises(ValueError, match="neither true nor false"):
        boolean("maybe")


@pytest.mark.parametrize("empty", [None, "", "   ", "\t\n"])
def test_empty_values_are_no_values(empty):
    """Null, the empty text and white space alone all mean that Iru has no value."""
    assert text(empty) is None
    assert number(empty) is None
    assert boolean(empty) is None
    assert timestamp(empty) is None


def test_a_literal_null_is_escaped():
    """A device that is named NULL does not empty the field in ServiceNow."""
    assert text("NULL") == "Null"
    assert text("null") == "null"


@pytest.mark.parametrize(
    "spelling",
    [
        "2024-07-23T14:11:37.150080Z",
        "2024-07-23 14:11:37.150080+00:00",
        "2024-07-23T16:11:37.150080+02:00",
        "2024-07-23 14:11:37 +0000",
        "2024-07-23T14:11:37",
    ],
)
def test_all_spellings_of_a_time_become_one(spelling):
    """However an endpoint spells a time, ServiceNow gets yyyy-MM-dd HH:mm:ss in UTC."""
    assert timestamp(spelling) == "2024-07-23 14:11:37"


@pytest.mark.parametrize("wrong", ["yesterday", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+02:00", True])
def test_what_is_no_time_is_refused(wrong):
    """A text that is no time, or is outside the calendar in UTC, is refused as a value error."""
    with pytest.raises(ValueError, match="is not a time"):
        timestamp(wrong)


@pytest.mark.parametrize(
    ("value", "sent"), [(245.0, "245"), (228.27, "228.27"), ("245.0", "245"), (0, "0"), (2**63 + 1, str(2**63 + 1))]
)
def test_numbers_lose_a_needless_fraction_and_nothing_else(value, sent):
    """A number keeps every digit but a fraction of zero."""
    assert number(value) == sent
    assert text(value) == sent or isinstance(value, str)


@pytest.mark.parametrize("wrong", ["many", "nan", "inf", True, "128 GB"])
def test_what_is_no_number_is_refused(wrong):
    """Text that is no finite number is refused as a value error."""
    with pytest.raises(ValueError, match="number"):
        number(wrong)


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, float("nan"), float("inf"), "\ud800"])
def test_what_no_cell_can_hold_is_marked(wrong):
    """Lists, objects, numbers that are not finite and lone surrogates are marked instead of raised or sent."""
    assert isinstance(scalar(wrong), Unusable)


def test_a_mark_does_not_repeat_the_value():
    """What stands in for an unusable value says its kind and not its content, which may be personal."""
    assert "secret" not in repr(scalar(["secret"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**400) | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(JSON)
@example(10**400)
@example("NULL")
def test_any_json_value_is_converted_or_refused_in_words(value):
    """Whatever JSON holds, a conversion gives text that UTF-8 can write, nothing, or a value error."""
    cell = scalar(value)
    if isinstance(cell, Unusable):
        return
    for convert in (text, number, boolean, timestamp):
        try:
            converted = convert(cell)
        except ValueError:
            continue
        assert converted is None or (converted.encode() and converted != "NULL")


def test_a_digest_stays_the_same_forever():
    """The key of an app is the same on every version of every library: a literal value guards it."""
    assert digest(["d1", "com.example.app", "/Applications/App.app"]) == "2361d7678e03ad60495a7cee89d657f0"


def test_a_digest_is_lower_case_hex_of_128_bits():
    """ServiceNow matches keys without case, so nothing in a key may depend on it."""
    assert set(digest(["x"])) <= set("0123456789abcdef")
    assert len(digest(["x"])) == 32


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_digests_are_equal_only_for_equal_parts(one, other):
    """Parts do not run into each other: ("a", "b") and ("ab", "") have different digests."""
    assert (digest(one) == digest(other)) == (json.dumps(one) == json.dumps(other))
