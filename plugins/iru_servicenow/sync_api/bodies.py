"""What may be asked in a request's body; a field that is not listed is refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from include.insight.paging import DEFAULT_ROWS, MOST_ROWS
from include.insight.search import LONGEST

MOST_KEYS = 500

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's texts hold no NUL, and neither does anything that is looked for."""

Text = Annotated[str, StringConstraints(max_length=LONGEST)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=NO_NUL)]
Cursor = Annotated[str, StringConstraints(max_length=16_000)]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Kind = Literal["refused", "parked", "held", "rejected"]


class Body(BaseModel):
    """The base of all."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(Body):
    """A question that needs no words."""


class Paged(Body):
    """Which page of a table that may be searched."""

    search: Text | None = None
    cursor: Cursor | None = None
    limit: Limit = DEFAULT_ROWS


class Stuck(Paged):
    """Which stuck rows."""

    kind: Kind
    feed: Name | None = None
    verdict: Name | None = None
    sort: Literal["oldest", "newest"] = "oldest"


class RowName(Body):
    """One row."""

    feed: Name
    key: Key


class Titles(Paged):
    """Which titles of apps."""

    sort: Literal["installs", "unused", "name"] = "installs"


class NewOrders(Body):
    """An order for some rows of a feed, and why."""

    feed: Name
    keys: Annotated[list[Key], Field(min_length=1, max_length=MOST_KEYS)]
    action: Literal["release", "park", "resend"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_NUL)]


class Filters(Body):
    """The filters of any table, as its own route takes them."""

    kind: Kind | None = None
    feed: Name | None = None
    verdict: Name | None = None
    search: Text | None = None
    sort: Name | None = None
    flow: Name | None = None
    days: Annotated[int, Field(ge=1, le=366)] | None = None
    active: Literal["true", "false", "all"] | None = None


class Download(Body):
    """Which table, as what, and of which device."""

    table: Literal["stuck", "runs", "days", "orders", "devices", "device_apps", "history", "titles", "facts", "setup"]
    format: Literal["csv", "parquet"]
    filters: Filters = Field(default_factory=Filters)
    device_id: Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)] | None = None
