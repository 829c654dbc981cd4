"""What the Robust Transform Engine does otherwise than a transform map.

Source: ServiceNow, "Import run details": it counts processed instead of inserted and updated, and leaves the row's
target record empty.
"""

from include.sandbox.servicenow.transform_row import UNCHANGED, RowResult

_PROCESSED = ("inserted", "updated")


def as_robust(result: RowResult) -> RowResult:
    """Return a row's result in the words of the Robust Transform Engine; a record that stays is processed as well."""
    unchanged = result.status == "ignored" and result.comment.startswith(UNCHANGED)
    if result.status in _PROCESSED or unchanged:
        comment = result.comment.removeprefix(UNCHANGED).removeprefix(";")
        return RowResult(status="processed", target_sys_id=result.target_sys_id, comment=comment)
    return result
