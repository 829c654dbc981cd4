"""sysparm_query: every operator, and what happens to the parts that make no sense."""

from typing import Any

import pytest

ROWS = (
    {"name": "Alpha", "serial_number": "A1", "disk_space": "9", "discovery_source": "Kandji", "os": "macOS"},
    {"name": "beta", "serial_number": "B2", "disk_space": "128.5", "discovery_source": "Kandji", "os": "iOS"},
    {"name": "Gamma^1", "serial_number": "C3", "disk_space": "1000", "discovery_source": "Other", "os": ""},
    {"name": "100%_x", "serial_number": "D4", "disk_space": "", "discovery_source": "", "os": "iPadOS"},
)


@pytest.fixture(scope="module")
def filled(shared: Any) -> Any:
    """Four computers; the first is assigned to Ann."""
    (ann,) = shared.rows("sys_user", "email=ann@example.com")
    for row in ROWS:
        shared.create("cmdb_ci_computer", **row, **({"assigned_to": ann["sys_id"]} if row["name"] == "Alpha" else {}))
    return shared


def _serials(snow: Any, query: str) -> str:
    rows = snow.rows("cmdb_ci_computer", query, fields="serial_number")
    return " ".join(row["serial_number"][0] for row in rows)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "A B C D"),
        ("name=alpha", "A"),
        ("name!=alpha", "B C D"),
        ("discovery_source!=Kandji", "C D"),
        ("nameLIKEa", "A B C"),
        ("nameCONTAINSeta", "B"),
        ("nameNOT LIKEa", "D"),
        ("nameDOES NOT CONTAINa", "D"),
        ("name*eta", "B"),
        ("name!*a", "D"),
        ("nameSTARTSWITHb", "B"),
        ("nameENDSWITHA", "A B"),
        ("nameLIKE%_", "D"),
        ("serial_numberINA1,b2,Z", "A B"),
        ("serial_numberNOT INA1,B2", "C D"),
        ("osISEMPTY", "C"),
        ("osISNOTEMPTY", "A B D"),
        ("osEMPTYSTRING", "C"),
        ("os=", "C"),
        ("os=NULL", "C"),
        ("nameANYTHING", "A B C D"),
        ("disk_space>9", "B C"),
        ("disk_space>=9", "A B C"),
        ("disk_space<129", "A B"),
        ("disk_space<=9", "A"),
        ("disk_spaceBETWEEN9@129", "A B"),
        ("name>b", "B C"),
        ("sys_created_on<2000-01-01 00:00:00", ""),
        ("sys_created_on>javascript:gs.daysAgo(1)", "A B C D"),
        ("sys_created_on>javascript:gs.dateGenerate('2999-01-01','00:00:00')", ""),
        ("discovery_source=Kandji^os=iOS", "B"),
        ("os=iOS^ORos=iPadOS", "B D"),
        ("discovery_source=Kandji^os=iOS^ORos=iPadOS", "B"),
        ("discovery_source=Kandji^os=iOS^NQdiscovery_source=Other", "B C"),
        ("discovery_source=Kandji^EQ", "A B"),
        ("name=Gamma^^1", "C"),
        ("assigned_to.email=ANN@example.com", "A"),
        ("assigned_to.email!=ann@example.com", "B C D"),
        ("assigned_to.name.nonsense=x", "A B C D"),
        ("nameSAMEASserial_number", ""),
        ("nameNSAMEASserial_number", "A B C D"),
        ("ORDERBYDESCserial_number", "D C B A"),
        ("ORDERBYdisk_space", "D A B C"),
        ("ORDERBYdiscovery_source^ORDERBYDESCname", "D B A C"),
        ("ORDERBYDESCassigned_to.name^ORDERBYserial_number", "A B C D"),
        ("sys_class_nameINSTANCEOFcmdb_ci_computer", "A B C D"),
    ],
)
def test_operators(filled: Any, query: str, found: str) -> None:
    """Each operator selects, joins or sorts as documented, without looking at case."""
    assert _serials(filled, query) == found


@pytest.mark.parametrize(
    "query", ["nonsense=x", "what is this", "nonsense=x^ORwrong=y", "disk_spaceBETWEEN9", "name=javascript:eval(1)"]
)
def test_what_makes_no_sense_is_ignored_and_everything_comes_back(filled: Any, query: str) -> None:
    """A misspelt filter returns the whole table: ServiceNow's best-hidden trap."""
    assert _serials(filled, query) == "A B C D"
    assert _serials(filled, f"{query}^name=alpha") == "A"


def test_by_property_an_invalid_query_returns_nothing(serve: Any) -> None:
    """glide.invalid_query.returns_no_rows turns the trap off."""
    snow = serve(invalid_query_returns_no_rows=True)
    assert snow.rows("sys_user", "nonsense=x") == []
    assert len(snow.rows("sys_user", "ORDERBYname")) == 3


def test_a_column_may_be_a_parameter_of_its_own(filled: Any) -> None:
    """``?serial_number=A1`` is the short form of a condition."""
    answer = filled.call("GET", "table/cmdb_ci_computer", params={"serial_number": "A1"})
    assert [row["name"] for row in answer.json()["result"]] == ["Alpha"]


def test_the_same_query_works_on_a_parent_table(filled: Any) -> None:
    """Views over children compare without case and sort as their children do."""
    rows = filled.rows("cmdb_ci", "nameINALPHA,BETA^ORDERBYDESCname", fields="name")
    assert [row["name"] for row in rows] == ["beta", "Alpha"]


def test_a_page_keeps_the_order(filled: Any) -> None:
    """Offset and limit cut the sorted list."""
    rows = filled.rows("cmdb_ci_computer", "ORDERBYserial_number", fields="serial_number", limit=2, offset=1)
    assert [row["serial_number"] for row in rows] == ["B2", "C3"]


def test_thousands_of_alternatives(filled: Any) -> None:
    """A client may string very many conditions together."""
    query = "^OR".join(f"serial_number=X{number}" for number in range(1500)) + "^ORserial_number=C3"
    rows = filled.rows("cmdb_ci_computer", query, suppress_pagination_header="true")
    assert [row["serial_number"] for row in rows] == ["C3"]
