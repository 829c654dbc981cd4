"""What a request calls the staging columns: by label or by name."""

import logging
from collections.abc import Iterable, Mapping

from include.errors import SetupWrong
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.servicenow.dictionary import default_label, read_staging_columns, require_columns

log = logging.getLogger(__name__)


def labels_of(client: ServiceNowClient, spec: LoadSpec, columns: Iterable[str]) -> dict[str, str]:
    """Return the key of each column in a request; the dictionary's label beats the spec's, which beats the default.

    Raises SetupWrong for a column that the staging table does not have and for columns that share a label.
    """
    names = list(columns)
    known = read_staging_columns(client, spec.table)
    if known is None:
        log.warning("sys_dictionary may not be read: labels and columns of %s cannot be checked.", spec.table)
    require_columns(spec.table, names, known)
    if spec.method == "single" or spec.column_keys == "name":
        return {name: name for name in names}
    labels = {name: known[name].label if known else spec.labels.get(name, default_label(name)) for name in names}
    _refuse_shared_labels(spec.table, labels)
    return labels


def _refuse_shared_labels(table: str, labels: Mapping[str, str]) -> None:
    """Two columns of one label cannot both be sent by label; ServiceNow compares labels without case."""
    names: dict[str, list[str]] = {}
    for name, label in labels.items():
        names.setdefault(label.casefold(), []).append(name)
    shared = [" and ".join(group) for group in names.values() if len(group) > 1]
    if shared:
        raise SetupWrong(
            f"In {table} the columns {', '.join(shared)} have the same label, so that insertMultiple cannot tell them "
            "apart. Change a label in ServiceNow, or map insertMultiple to column names and set 'column_keys' = 'name' "
            "in the extra of the ServiceNow connection."
        )
