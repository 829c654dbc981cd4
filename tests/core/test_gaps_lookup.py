"""Asking which values exist finds them all, asks only for them, and believes nothing else."""

from collections.abc import Callable

from instance import settings
from scripted import Asked, Reply, Scripted, serving

from include.servicenow.client import ServiceNowClient
from include.servicenow.lookup import find_existing


def _table(shown: Callable[[list[str]], list[str]]) -> Callable[[Asked], Reply]:
    """Answer the rows that ``shown`` gives for the serial numbers of a query."""

    def script(asked: Asked) -> Reply:
        if asked.path == "/oauth_token.do":
            return Reply({"access_token": "t", "token_type": "Bearer", "expires_in": 1800})
        rows = [{"sys_id": value, "serial_number": value} for value in shown(_asked_for(asked))]
        return Reply({"result": rows}, headers={"X-Total-Count": str(len(rows))})

    return script


def _asked_for(asked: Asked) -> list[str]:
    parts = asked.query["sysparm_query"].split("^")
    return [part.removeprefix("OR").removeprefix("serial_number=") for part in parts if not part.startswith("ORDERBY")]


def _find(server: Scripted, values: list[str]) -> set[str]:
    return find_existing(ServiceNowClient(settings(server.url)), "cmdb_ci_computer", "serial_number", values)


def test_any_number_of_values_is_asked_about():
    """More values than one query takes are asked in several; what exists among them is found."""
    values = [f"S{number}" for number in range(120)]
    with serving(_table(lambda asked: [value for value in asked if value != "S7"])) as server:
        assert _find(server, values) == {value.casefold() for value in values} - {"s7"}


def test_a_value_with_a_caret_adds_no_condition():
    """A serial number is free text; one that reads like a condition of its own must not widen the query."""
    with serving(_table(lambda asked: asked)) as server:
        assert _find(server, ["S1", "S2^ORactive=true"]) == {"s1"}
        queries = [asked.query["sysparm_query"] for asked in server.asked if "table" in asked.path]
    assert all("active" not in query for query in queries)


def test_rows_that_were_not_asked_for_prove_nothing():
    """A server that ignores the condition shows other rows; they are not taken for an answer."""
    with serving(_table(lambda asked: ["OTHER", "S1"])) as server:
        assert _find(server, ["S1", "S2"]) == {"s1"}


def test_long_values_share_no_address_that_is_too_long():
    """A serial number of thousands of characters does not keep the others from being found."""
    asked: list[list[str]] = []

    def all_of_them(values: list[str]) -> list[str]:
        asked.append(values)
        return values

    values = ["S1", "x" * 20_000, *("é" * 400 + str(n) for n in range(4)), "S2"]
    with serving(_table(all_of_them)) as server:
        assert _find(server, values) == {value.casefold() for value in values if len(value) < 20_000}
    assert max(len("".join(batch).encode()) for batch in asked) < 3000
