"""The conformance matrix: rows that are refused and transforms that go wrong."""

from pathlib import Path

from cases import Case, cases_of_rows
from matrix import check, each_way_of_loading


@each_way_of_loading(cases_of_rows())
def test_every_row_is_accounted_for_whatever_goes_wrong(case: Case, method: str, tmp_path: Path) -> None:
    """The run heals or says why it stopped; after a normal run both sides agree, once each, as the verdicts say."""
    check(case, method, tmp_path)
