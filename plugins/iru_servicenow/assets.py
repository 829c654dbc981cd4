"""Assets: what Iru lists, and ServiceNow's tables, with events that carry counts.

A table has an event only when rows were really sent into it: the load task tells its asset through an alias.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, AssetAlias

from include.inventory.mapping import Feed, SourceName
from include.inventory.settings import Settings

DEFAULT = "default"
"""What an asset's address has in place of the name of the only pair."""


def inventory(source: SourceName, settings: Settings) -> Asset:
    """Return the asset of what Iru lists of a source."""
    return Asset(name=settings.named(f"iru_{source}"), uri=f"x-iru://{settings.pair or DEFAULT}/{source}", group="iru")


def alias(feed: Feed, settings: Settings) -> AssetAlias:
    """Return the alias by which a load task tells that a feed's table has changed."""
    return AssetAlias(settings.named(f"iru_servicenow_{feed.name}"), group="servicenow")


def table(feed: Feed, settings: Settings) -> Asset:
    """Return the asset of the table that a feed's rows end in."""
    name = feed.target_table or feed.staging_table
    return Asset(
        name=settings.named(f"servicenow_{name}"),
        uri=f"x-servicenow://{settings.pair or DEFAULT}/{name}",
        group="servicenow",
    )


def tell(context: Mapping[str, Any], alias: AssetAlias, asset: Asset, result: Mapping[str, Any]) -> None:
    """Give an asset an event with a load's counts; none where nothing was sent."""
    if result.get("rows"):
        counts = {outcome: n for outcome, n in result["outcomes"].items() if n}
        extra = {"run_id": context["run_id"], "rows": result["rows"], **counts}
        context["outlet_events"][alias].add(asset, extra=extra)


def tell_inventory(context: Mapping[str, Any], asset: Asset, collections: Mapping[str, Mapping[str, Any]]) -> None:
    """Give the event of what Iru lists the rows of each collection; outside of Airflow there is no event."""
    if "outlet_events" in context:
        rows = {name: collection["rows"] for name, collection in collections.items()}
        context["outlet_events"][asset].extra = {"run_id": context["run_id"], **rows}
