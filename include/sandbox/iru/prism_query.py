"""What a Prism request asks for, and the cursor that continues exactly that.

A cursor is good only for the query parameters that it came with; whatever else comes with it is
answered with 400: https://github.com/kandji-inc/support (api-tools, code examples).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.errors import bad_request
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_filters import filter_condition, join_conditions

START = -(1 << 62)
"""The position before all rows: some of them have negative ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrismQuery:
    """Which rows of a category, and in which order; ``sort_by`` "" is the order of entry."""

    blueprint_ids: tuple[str, ...] = ()
    device_families: tuple[str, ...] = ()
    filter: dict[str, Any]
    sort_by: str = ""

    def condition(self, category: Category) -> Condition:
        """Return the rows asked for; raise a 400 for a filter that cannot be."""
        parts = [Condition(category.where), filter_condition(category, self.filter)]
        parts += _one_of(category, "blueprint_id", self.blueprint_ids)
        parts += _one_of(category, "device__family", self.device_families)
        return join_conditions([part for part in parts if part.sql != "1"])

    def order(self, category: Category) -> str:
        """Return the ORDER BY; raise a 400 for a key that the category does not have."""
        if not self.sort_by:
            return category.seq
        column = category.column(self.sort_by.removeprefix("-"))
        if column is None:
            raise bad_request(f"Invalid sort_by: {self.sort_by}")
        return f"{column.sql} {'DESC' if self.sort_by.startswith('-') else 'ASC'}, {category.seq}"

    def signature(self, category: Category, limit: int) -> str:
        """Return a text that is the same for the same query only."""
        parts = (category.name, self.blueprint_ids, self.device_families, self.filter, self.sort_by, limit)
        return json.dumps(parts, sort_keys=True)


def split_list(text: str) -> tuple[str, ...]:
    """Return the entries of a comma list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def write_cursor(secret: bytes, signature: str, position: int) -> str:
    """Return the cursor that goes on behind ``position``: base64 of a UUID and the position."""
    text = f"{_seal(secret, signature, position)}|{position}"
    return base64.b64encode(text.encode()).decode()


def read_cursor(secret: bytes, signature: str, cursor: str) -> int:
    """Return the position behind which to go on, START for an empty cursor; 400 for another query's cursor."""
    if not cursor:
        return START
    try:
        seal, _, position = base64.b64decode(cursor, validate=True).decode().partition("|")
        if hmac.compare_digest(seal, _seal(secret, signature, int(position))):
            return int(position)
    except ValueError as error:
        raise invalid_cursor() from error
    raise invalid_cursor()


def invalid_cursor() -> Exception:
    """Return the 400 for a cursor that leads nowhere."""
    return bad_request("Invalid cursor")


def _seal(secret: bytes, signature: str, position: int) -> str:
    digest = hmac.new(secret, f"{signature}|{position}".encode(), hashlib.sha256).digest()
    return str(UUID(bytes=digest[:16]))


def _one_of(category: Category, key: str, values: Iterable[str]) -> list[Condition]:
    column, wanted = category.column(key), tuple(values)
    if not wanted or column is None:
        return []
    return [Condition(f"{column.sql} IN ({', '.join('?' * len(wanted))})", wanted)]
