"""Values that a hostile or broken source sends, and records full of them."""

import json
from typing import Any

from factories import Record, app, device, prism_device
from hypothesis import strategies as st

MEGABYTE = "x" * 1_000_000

ODD_TEXT = (
    "", " ", "NULL", " NULL ", "null", "Null", "nan", "NaN", "-inf", "1e999", "1_000", "0x10", "\uff11\uff12", "\u0663",
    "007", "1,000", "true", "TRUE", "'", '"', "\\", "\\u0000", "\x00", "a\x00b", "\x07", "\x1b[31mred", "\x1f", "\x7f",
    "\x85", "\ufeff", "\ufffe", "\uffff", "\ud800", "\udfff\ud800", "a\tb", "a\nb", "a\r\nb", "Icon\r", "\u2028",
    "\u202egnp.exe", "שלום", "\u200b", "e\u0301", "\u00e9", "İ", "ß", "SS", "\ufb03", "👩\u200d💻", "\U0001d54f" * 300,
    "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "^ORactive=true", "javascript:gs.log(1)", "a^EQ", "<!--",
    "]]>", "<script>", "&amp;", "${jndi:x}", "'; DROP TABLE ledger_rows; --", "../../etc/passwd", "%s%n",
    "{{ conn.servicenow_default.password }}", MEGABYTE, MEGABYTE[:65_535], MEGABYTE[:65_536], "é" * 65_536,
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31 23:59:59.99+00:00",
    "0000-00-00", "2024-02-30", "24:00", "1715630967", "2024-05-13T24:00:00Z", "2024-W20-1", "20240513T200927Z",
    "Windows", "Newton", "tvOS", "Mac", "mac", "iPod",
)  # fmt: skip

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.0, -0.0, 1e308, 5e-324, 2**53 + 1, 2**63, 10**400, -(10**4000), float("nan"),
    float("inf"), float("-inf"), [], {}, [[]], [None], {"email": "x"}, {"": ""}, [["a"] * 50] * 50, {"a": {"b": {}}},
)  # fmt: skip

NESTED: Any = json.loads("[" * 400 + "]" * 400)

VALUES = (
    st.sampled_from([*ODD_TEXT, *ODD_VALUES, NESTED])
    | st.text(st.characters(codec=None), max_size=20)
    | st.text("\x00\t\n\r\x1f\x7f NUL1=^'\"", max_size=8)
    | st.integers()
    | st.floats()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)

FIELDS = {
    "devices": sorted(device()),
    "device_information": sorted(prism_device()),
    "apps": [*sorted(app()), "is_removed", "last_opened"],
}


@st.composite
def hostile(draw: st.DrawFn, collection: str, number: int) -> Record:
    """Draw a record of a collection with some fields replaced, removed or added."""
    make = {"devices": device, "device_information": prism_device, "apps": app}[collection]
    record = make(number)
    for name in draw(st.sets(st.sampled_from(FIELDS[collection]), max_size=6)):
        record[name] = draw(VALUES)
    for name in draw(st.sets(st.sampled_from(FIELDS[collection]), max_size=2)):
        record.pop(name, None)
    if draw(st.booleans()):
        record |= draw(st.dictionaries(st.text(max_size=4), VALUES, max_size=2))
    if collection == "devices" and isinstance(record.get("user"), dict) and draw(st.booleans()):
        record["user"] = draw(st.dictionaries(st.sampled_from(["id", "name", "email", "x"]), VALUES))
    return record


@st.composite
def sources(draw: st.DrawFn, collection: str, beside: int = 3) -> tuple[list[Record], list[Record], list[int]]:
    """Draw rows of a source, ``beside`` of them sound; return rows, Prism's rows, the positions of the sound."""
    make = device if collection == "devices" else app
    sound = [make(1000 + n, **_on(collection, 1000 + n)) for n in range(beside)]
    odd = [draw(hostile(collection, n)) for n in range(1, 1 + draw(st.integers(1, 5)))]
    rows = draw(st.permutations([*sound, *odd]))
    prism = [draw(hostile("device_information", n)) for n in range(1, 4)] if collection == "devices" else []
    identities = [id(row) for row in sound]
    return rows, prism, [position for position, row in enumerate(rows) if id(row) in identities]


def _on(collection: str, number: int) -> dict[str, Any]:
    return {} if collection == "devices" else {"device_id": f"d{number}", "serial_number": f"SER{number}"}
