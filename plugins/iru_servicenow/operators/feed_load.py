"""Load one feed of a run: the Import Set operator, as a stage of its run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from include.inventory.run import Run
from iru_servicenow.links import ImportSetsLink
from iru_servicenow.operators.import_set import TRIGGER_GRACE_S, ServiceNowImportSetOperator
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
    """

    operator_extra_links = (ImportSetsLink(),)
    template_fields: Sequence[str] = (*ServiceNowImportSetOperator.template_fields, "folder_uri")

    def __init__(self, *, feed: str, folder_uri: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed
        self.folder_uri = folder_uri

    def execute(self, context: "Context") -> dict[str, Any]:
        """Load the frame; return what the Import Set operator returns."""
        with self._under_way() as run:
            if self.frame_uri and run.changed is not None and run.rows_to_send(self.feed) <= FEW_ROWS:
                self.load_method = "single"
            return super().execute(context)

    def resume(self, context: "Context", event: dict[str, Any], spent: dict[str, float]) -> dict[str, Any]:
        """Go on after a deferral, during which the run was under way all the same."""
        with self._under_way():
            return super().resume(context, event, spent)

    def _under_way(self) -> AbstractContextManager[Run]:
        longest_s = self.transform_timeout_s + TRIGGER_GRACE_S
        return under_way(str(self.folder_uri), f"load-{self.feed}", rest_s=longest_s)
