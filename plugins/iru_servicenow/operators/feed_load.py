"""Load one feed of a run: the Import Set operator, as a stage of its run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from iru_servicenow.operators.import_set import ServiceNowImportSetOperator
from iru_servicenow.under_way import under_way

if TYPE_CHECKING:
    from airflow.sdk import Context


class FeedLoadOperator(ServiceNowImportSetOperator):
    """Send a feed's planned rows, while no other run of the flow is under way.

    :param feed: name of the feed, for the run's notes.
    :param folder_uri: the run's folder.
    """

    template_fields: Sequence[str] = (*ServiceNowImportSetOperator.template_fields, "folder_uri")

    def __init__(self, *, feed: str, folder_uri: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed
        self.folder_uri = folder_uri

    def execute(self, context: "Context") -> dict[str, Any]:
        """Load the frame; return what the Import Set operator returns."""
        with under_way(str(self.folder_uri), f"load-{self.feed}"):
            return super().execute(context)
