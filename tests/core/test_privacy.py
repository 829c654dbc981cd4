"""A log never shows whose row it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.inventory.report import FeedReport, Report
from include.inventory.settle import COUNTS
from include.privacy import masked


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Reference field value rejected: assigned_to=jane@acme.example", "value rejected: assigned_to=***"),
        ("Reference field value rejected: assigned_to=Jane Doe, computer=C02XL0THJHD5; x", "assigned_to=***; x"),
        ("Unable to format 'Jane O\\'Neil' as integer", "Unable to format *** as integer"),
        ('Duplicate entry "jane.doe" for key', "Duplicate entry *** for key"),
        ("Value “Jane” refused", "Value *** refused"),
        ("cut in the middle of 'Jane Do", "cut in the middle of ***"),
        ("Jane Doe is not a user", "*** is not a user"),
        ("no user named Jane, Doe found", "no user named *** found"),
        ("no user jane.doe found", "no user *** found"),
        ("no match: 山田太郎 / Renée", "no match: *** / ***"),
        ("Unable to find Sold to with ID provided 123456", "Unable to find *** to with ID provided ***"),
        ("row 4bd02019bdee4b8c94ca4d8ccd1b32b7 of ISET0010042", "row *** of ***"),
        ("see https://acme.service-now.com/sys_user.do?sys_id=1", "see ***"),
        ("jane%40acme.example", "***"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_in_a_message_are_masked(message, shown):
    """Names, addresses, serial numbers, ids and quoted values are replaced; what a message says stays readable."""
    assert shown in masked(message)
    assert "ane" not in masked(message)


@pytest.mark.parametrize(
    "message",
    [
        "No field values changed",
        "Row transform ignored by onBefore script",
        "Target record not found",
        "User Not Authenticated: Required to provide Auth information".replace("Auth ", ""),
        "Unable to resolve target record, coalesce values not present: serial_number",
        "ServiceNow holds no staging row for it; a row may have 8126 bytes.",
        "device_name is text with control characters, which no cell can hold",
        "serial_number is empty",
        "field doesn't exist",
    ],
)
def test_what_holds_no_value_is_shown_as_it_is(message):
    """The messages that ServiceNow and the pipeline use most are not made unreadable."""
    assert masked(message) == message


NAMES = st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True)
SERIALS = st.from_regex(r"[A-Z0-9]{10,12}", fullmatch=True).filter(lambda text: not text.isalpha())


@given(
    first=NAMES.filter(lambda name: masked(name) == "***"),
    last=NAMES.filter(lambda name: masked(name) == "***"),
    serial=SERIALS,
    form=st.sampled_from(
        [
            "u={}",
            "u={}; v=1",
            "value '{}' refused",
            "value {} refused",
            '"{}"',
            "{}",
            "x ({})",
            "x: {}",
            "{}: x",
            "<{}>",
        ]
    ),
)
def test_no_name_address_or_serial_number_survives(first, last, serial, form):
    """However a message wraps it, a name, an e-mail address or a serial number is not in what is shown."""
    for value in (f"{first} {last}", f"{first}.{last}@acme.example".lower(), f"{first.lower()}.{last.lower()}", serial):
        shown = masked(form.format(value))
        assert value not in shown
        assert first not in shown
        assert last not in shown


def report(**details: object) -> Report:
    """Return the report of a run with one feed."""
    return Report("d", "r", "load", {"computer": FeedReport(dict.fromkeys(COUNTS, 1), details)}, {"iru": 1})


def test_the_log_masks_what_the_report_file_keeps():
    """The report's table for the log counts equal reasons together, without values; the file keeps them whole."""
    messages = {f"Reference field value rejected: assigned_to=user{n}@acme.example": 1 for n in range(8)}
    told = report(refused_because=messages)
    assert "computer: refused because: Reference field value rejected: assigned_to=*** (8)" in told.to_text()
    assert "acme" not in told.to_text()
    assert told.to_json()["details"]["computer"]["refused_because"] == messages


def test_reasons_are_bounded_in_file_and_log():
    """A hundred thousand different messages neither fill the log nor the report, and none of them is uncounted."""
    many = {f"Script error in word{'x' * 10 * n} of row {n}": n for n in range(1, 400)}
    told = report(refused_because=many)
    kept = told.to_json()["details"]["computer"]["refused_because"]
    assert len(kept) == 51
    assert sum(kept.values()) == sum(many.values())
    assert len(told.to_text()) < 8000


def test_reasons_that_differ_in_a_row_number_are_one_in_the_log():
    """Many rows that lost to other rows read as one reason."""
    told = report(rejected_because={f"serial_number row {n} has the same key and is newer": 1 for n in range(500)})
    assert "serial_number row # has the same key and is newer (500)" in told.to_text()
