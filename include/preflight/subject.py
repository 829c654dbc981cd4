"""What is checked: both clients, the mapping, and the fleet where it may be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from include.inventory.mapping import Feed, FeedMapping
from include.inventory.params import RunParams
from include.inventory.run import Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_extract, run_shape
from include.iru.client import IruClient
from include.servicenow.client import ServiceNowClient
from include.storage import StoragePath, remove_tree


@dataclass(frozen=True, slots=True)
class Subject:
    """One pair of services as the checks see it.

    ``fleet`` holds the shaped rows of the device feeds, by feed; None where the fleet is not to be read.
    ``show_users``: name assigned users who are not known instead of a digest of their address.
    """

    iru: IruClient
    servicenow: ServiceNowClient
    mapping: FeedMapping
    fleet: Mapping[str, pd.DataFrame] | None = field(default=None, repr=False)
    show_users: bool = False

    @property
    def feeds(self) -> list[Feed]:
        """All feeds, in the order in which they are loaded."""
        return list(self.mapping.feeds.values())


def read_fleet(client: IruClient, mapping: FeedMapping, root: StoragePath) -> dict[str, pd.DataFrame]:
    """Read and shape all devices as a run does that only plans; return the shaped rows by feed, and keep no file."""
    feeds = [feed.name for feed in mapping.of_source("devices")]
    folder = RunFolder(root)
    run = Run("devices", RunParams.parse({"mode": "plan"}, feeds=feeds), mapping, folder)
    run_extract(run, client)
    run_shape(run)
    rows = {feed: folder.rows(feed).read() for feed in feeds}
    for part in ("extract", "shape", "stages"):
        remove_tree(root / part)
    return rows
