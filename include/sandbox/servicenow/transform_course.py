"""How one transform goes, where faults and the transaction quota make it go otherwise than well.

Source: ServiceNow, "Map with transformation event scripts" (error halts the whole transform), "Default transaction
quota rules" (REST Import Set API request timeout: 60 seconds), KB0866547 (the text of a cancelled transaction).
"""

from dataclasses import dataclass, replace

from include.sandbox.faults.plan import Fault
from include.sandbox.servicenow.errors import ApiError
from include.sandbox.servicenow.fault_kinds import QUOTA, TRANSFORM
from include.sandbox.servicenow.instance import Instance

_TOO_LONG = "Transaction cancelled: maximum execution time exceeded"


class TransactionCancelled(ApiError):
    """The quota ended the transaction that a request runs in; what it had done stays done."""

    def __init__(self) -> None:
        super().__init__(500, _TOO_LONG, f"com.glide.sys.TransactionCancelledException: {_TOO_LONG}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is to happen to one transform.

    ``wait_s`` passes before its first row; it halts at row ``halt_at_row`` or is cancelled after
    ``cancel_after_rows``, counted from 0 in the order of the set; None means never. ``held_by`` is the fault that keeps
    it from starting.
    """

    wait_s: float = 0.0
    halt_at_row: int | None = None
    cancel_after_rows: int | None = None
    claims_errors: bool = False
    deletes_set: bool = False
    held_by: Fault | None = None

    @property
    def ends_early(self) -> bool:
        """Say whether the transform is to be halted or cancelled."""
        return self.halt_at_row is not None or self.cancel_after_rows is not None

    @property
    def rows_to_do(self) -> int | None:
        """Return after how many rows the transform ends early; None for never."""
        return self.cancel_after_rows if self.halt_at_row is None else self.halt_at_row


UNDISTURBED = Course()


def course_of(instance: Instance, table: str) -> Course:
    """Return how the next transform of a staging table goes; one occasion for faults."""
    fault = instance.faults.take(TRANSFORM, table)
    if fault is None:
        return UNDISTURBED
    courses = {
        "transform_halted": lambda: Course(halt_at_row=int(fault.options["at_row"])),
        "transform_never_starts": lambda: Course(held_by=fault),
        "transform_slow": lambda: Course(wait_s=float(fault.options["for_s"])),
        "completes_with_errors": lambda: Course(claims_errors=True),
        "set_deleted": lambda: Course(deletes_set=True),
    }
    return courses[fault.kind]()


def course_of_request(instance: Instance, table: str, rows: int) -> Course:
    """Return how a transform of so many rows goes that a request waits for, within the transaction quota."""
    course = course_of(instance, table)
    fault = instance.faults.take(QUOTA, table)
    if fault is not None:
        after_rows = int(fault.options["after_rows"])
        after_rows = rows // 2 if after_rows < 0 else min(after_rows, rows)
        return replace(course, halt_at_row=None, cancel_after_rows=after_rows)
    row_time_s = instance.settings.transform_row_time_s
    left_s = instance.settings.transaction_quota_s - course.wait_s
    if rows * row_time_s <= left_s:
        return course
    fitting = int(left_s / row_time_s) if row_time_s and left_s > 0 else 0
    wait_s = min(course.wait_s, instance.settings.transaction_quota_s)
    return replace(course, wait_s=wait_s, halt_at_row=None, cancel_after_rows=fitting)
