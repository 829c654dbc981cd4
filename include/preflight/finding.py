"""One line of the set-up check's table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "wrong", "cannot_tell"]

MARKS: dict[State, str] = {"ok": "✔", "wrong": "✘", "cannot_tell": "?"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was asked, what was seen, and what to do about it.

    ``loses_data``: going on as it is would lose rows or values, or carry nothing at all; such a finding fails the
    check. Texts hold no secret and no person's data unless the operator asked for it.
    """

    check: str
    question: str
    state: State
    seen: str
    to_do: str = ""
    loses_data: bool = False

    @property
    def part(self) -> str:
        """What it is about: iru, servicenow, or a feed."""
        return self.check.partition(".")[0]

    @property
    def fails(self) -> bool:
        """Say whether it fails the whole check."""
        return self.state == "wrong" and self.loses_data


def ok(check: str, question: str, seen: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(check, question, "ok", seen)


def wrong(check: str, question: str, seen: str, to_do: str, *, loses_data: bool = False) -> Finding:
    """Return a finding that somebody should mend."""
    return Finding(check, question, "wrong", seen, to_do, loses_data)


def cannot_tell(check: str, question: str, seen: str, to_do: str = "") -> Finding:
    """Return a finding for which a right to look is missing, or whose answer was of no use."""
    return Finding(check, question, "cannot_tell", seen, to_do)


def failing(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that fail the check."""
    return [finding for finding in findings if finding.fails]
