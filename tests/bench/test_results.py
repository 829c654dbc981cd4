"""What ``make bench`` keeps."""

import json

from bench.results import keep


def test_a_part_replaces_its_own_results_and_leaves_the_others(tmp_path):
    """Measuring one part again loses nothing of another."""
    file = tmp_path / "results.json"
    keep("chaos", {"passed": True}, file)
    keep("load", {"rows": 1}, file)
    keep("chaos", {"passed": False}, file)
    found = json.loads(file.read_text())
    assert (found["chaos"]["passed"], found["load"]["rows"]) == (False, 1)
    assert found["chaos"]["machine"]["cores"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
