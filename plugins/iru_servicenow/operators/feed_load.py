"""Load one feed of a run: the Import Set operator, as a stage of its run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import Asset, AssetAlias, XComArg

from include.inventory.run import Run
from iru_servicenow.assets import tell
from iru_servicenow.links import ImportSetsLink
from iru_servicenow.operators.import_set import TRIGGER_GRACE_S, ServiceNowImportSetOperator, Spent
from iru_servicenow.under_way import under_way

if TYPE_CHECKING:
    from airflow.sdk import Context


FEW_ROWS = 25
"""So many rows take less time one by one than the least that a bulk load waits."""


class FeedLoadOperator(ServiceNowImportSetOperator):
    """Send a feed's planned rows, while no other run of the flow is under way.

    A few rows of a run of changed devices go one by one: ServiceNow transforms these while it answers, and picks up
    what came in bulk about once a minute only.

    :param feed: name of the feed, for the run's notes.
    :param folder_uri: the run's folder.
    :param target: the asset of the table that the rows end in; it has an event when rows were sent.
    :param told_by: the alias through which this task tells it, one of its outlets.
    """

    operator_extra_links = (ImportSetsLink(),)
    template_fields: Sequence[str] = (*ServiceNowImportSetOperator.template_fields, "folder_uri")

    def __init__(
        self,
        *,
        feed: str,
        folder_uri: str | XComArg,
        target: Asset | None = None,
        told_by: AssetAlias | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.told_by = told_by
        self.feed = feed
        self.folder_uri = folder_uri

    def execute(self, context: "Context") -> dict[str, Any]:
        """Load the frame; return what the Import Set operator returns."""
        with self._under_way() as run:
            if self.frame_uri and run.changed is not None and run.rows_to_send(self.feed) <= FEW_ROWS:
                self.load_method = "single"
            return self._tell(context, super().execute(context))

    def resume(self, context: "Context", event: dict[str, Any], spent: Spent | None = None) -> dict[str, Any]:
        """Go on after a deferral, during which the run was under way all the same."""
        with self._under_way():
            return self._tell(context, super().resume(context, event, spent))

    @property
    def lineage_tables(self) -> list[str]:
        """The staging table, and the one that ServiceNow's transform writes from it."""
        return [self.staging_table, *([urlsplit(self.target.uri).path.lstrip("/")] if self.target else [])]

    def _tell(self, context: "Context", result: dict[str, Any]) -> dict[str, Any]:
        if self.target and self.told_by:
            tell(context, self.told_by, self.target, result)
        return result

    def _under_way(self) -> AbstractContextManager[Run]:
        longest_s = self.transform_timeout_s + TRIGGER_GRACE_S
        stage, is_part = f"load-{self.feed}", self.partitions > 1
        return under_way(
            str(self.folder_uri),
            f"{stage}-{self.partition}" if is_part else stage,
            rest_s=longest_s,
            is_part=is_part,
        )
