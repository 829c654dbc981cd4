"""What a comparison found."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two sides disagree."""

    table: str
    row: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Say it in one line, without e-mail addresses."""
        line = f"{self.table}: {self.row}: {self.column}: Iru {self.expected!r}, ServiceNow {self.found!r}"
        return _EMAIL.sub("<e-mail>", line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The differences, and how much was compared."""

    differences: Sequence[Difference] = field(default_factory=list)
    computers: int
    mdm: int
    installs: int
    inactive_installs: int
    without_serial: int
    left_mdm: int

    @property
    def agree(self) -> bool:
        """Say whether ServiceNow holds exactly what Iru holds."""
        return not self.differences

    def lines(self) -> Iterator[str]:
        """Yield the findings as text: what was compared, then the first differences."""
        yield f"compared {self.computers:,} computers, {self.mdm:,} MDM records, {self.installs:,} active installs"
        if self.without_serial:
            yield f"left out, having no serial number: {self.without_serial:,}"
        if self.inactive_installs:
            yield f"besides, {self.inactive_installs:,} installs that are no longer active"
        if self.left_mdm:
            yield f"besides, {self.left_mdm:,} MDM records of earlier blueprints or devices"
        yield f"differences: {len(self.differences):,}"
        yield from (f"  {difference}" for difference in self.differences[:SHOWN])
        if len(self.differences) > SHOWN:
            yield f"  … and {len(self.differences) - SHOWN:,} more; all by table and column:"
            counts = Counter(f"{difference.table}.{difference.column}" for difference in self.differences)
            yield from (f"  {count:>8,}  {name}" for name, count in counts.most_common())
