"""Settings that keep a DAG honest, and what is tidied up behind it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import SetupWrong
from include.inventory.notify import Notify, read_notify
from include.inventory.retention import LOOK_EVERY, Removed, Retention, clean_up
from include.inventory.schedules import read_schedule
from include.inventory.settings import Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0 * * * *", "@daily", "*/5 2-4 * * 1,3", " 30 3 1 1 * "])
def test_a_schedule_that_fires_is_taken(text):
    """Crons of five fields and Airflow's own names are schedules."""
    assert read_schedule(text, setting="S") == text.strip()


@pytest.mark.parametrize("text", ["", "none", "None", " "])
def test_no_schedule_is_no_schedule(text):
    """An empty setting or none switches a schedule off."""
    assert read_schedule(text, setting="S") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [("0 0 31 2 *", "never fires"), ("0 0 30 2 *", "never fires"), ("* * * *", "no cron"), ("0 25 * * *", "no cron"),
     ("@fortnightly", "no cron"), ("every hour", "no cron"), ("0 0 * * * *", "no cron"), ("@once", "no cron")],
)  # fmt: skip
def test_a_schedule_that_never_fires_is_named(text, words):
    """A DAG that would stay silent for ever is refused where its setting is read."""
    with pytest.raises(SetupWrong, match=f"IRU_SERVICENOW_APPS_SCHEDULE.*{words}"):
        Settings.of_pair(environment={"IRU_SERVICENOW_APPS_SCHEDULE": text})


def test_notifiers_are_listed_as_json():
    """An entry names a class and what it is made with; the options are not shown, they hold addresses."""
    [entry] = read_notify('[{"notifier": "a.b.C", "to": "x@example.com"}]', setting="S")
    assert (entry.notifier, entry.options) == ("a.b.C", {"to": "x@example.com"})
    assert "example.com" not in repr(entry)
    assert read_notify("", setting="S") == ()
    assert entry == Notify("a.b.C", {"to": "x@example.com"})


@pytest.mark.parametrize(
    "text", ["{", "{}", '["a.b.C"]', '[{"to": "x"}]', '[{"notifier": "C"}]', '[{"notifier": "a b.C"}]']
)
def test_notifiers_that_cannot_be_read_are_refused(text):
    """The message names the setting and shows how it is written."""
    with pytest.raises(SetupWrong, match=r"IRU_SERVICENOW_NOTIFY.*notifier"):
        Settings.of_pair(environment={"IRU_SERVICENOW_NOTIFY": text})


@pytest.mark.parametrize(
    ("name", "value"),
    [("WATCH", "maybe"), ("WATCH_SHARE", "0"), ("WATCH_SHARE", "2"), ("WATCH_SHARE", "half"), ("KEEP_FILES_DAYS", "-1"),
     ("KEEP_REPORTS_DAYS", "x"), ("KEEP_HISTORY_DAYS", "-1"), ("DEADLINE_MIN", "1.5")],
)  # fmt: skip
def test_a_wrong_number_or_switch_is_named(name, value):
    """Each setting says what it may be."""
    with pytest.raises(SetupWrong, match=f"IRU_SERVICENOW_{name} is '{value}'"):
        Settings.of_pair(environment={f"IRU_SERVICENOW_{name}": value})


def run(runs: Path, name: str, *, days: float) -> Path:
    """Make the folder of a run that began so many days ago."""
    folder = runs / name
    for part in ("extract/apps", "shape/apps", "plan/apps", "stages"):
        (folder / part).mkdir(parents=True)
        (folder / part / "file").write_text("x")
    began = (NOW - timedelta(days=days)).isoformat()
    (folder / "run.json").write_text(json.dumps({"began_at": began}))
    (folder / "report.json").write_text("{}")
    return folder


def test_old_files_go_first_and_reports_later(tmp_path):
    """Pages and frames go after some days, the whole run much later, and a young run keeps everything."""
    young, old, oldest = run(tmp_path, "r3", days=1), run(tmp_path, "r2", days=20), run(tmp_path, "r1", days=100)
    run(tmp_path, "newest", days=0)
    assert clean_up(tmp_path, Retention(14, 90), needed=(), now=NOW) == Removed(files=1, runs=1)
    assert not oldest.exists()
    assert sorted(path.name for path in old.iterdir()) == ["report.json", "run.json", "stages"]
    assert (young / "extract").exists()


def test_what_is_needed_stays_whatever_its_age(tmp_path):
    """A run with verdicts to come, the newest run, and folders that are none of ours are never touched."""
    needed, newest = run(tmp_path, "open", days=200), run(tmp_path, "last", days=150)
    strange = tmp_path / "somebody's"
    strange.mkdir()
    (strange / "file").write_text("x")
    assert clean_up(tmp_path, Retention(14, 90), needed={"open"}, now=NOW) == Removed()
    assert (needed / "plan").exists()
    assert (newest / "plan").exists()
    assert (strange / "file").exists()


def test_zero_days_means_for_ever(tmp_path):
    """Who wants to keep everything can."""
    kept = run(tmp_path, "r1", days=5000)
    run(tmp_path, "r2", days=0)
    assert clean_up(tmp_path, Retention(0, 0), needed=(), now=NOW) == Removed()
    assert (kept / "extract").exists()


def test_folders_are_looked_at_rarely(tmp_path):
    """Runs of changed devices come every minute; their folders are not all read each time."""
    run(tmp_path, "r1", days=0)
    assert clean_up(tmp_path, Retention(), needed=(), now=NOW) is not None
    assert clean_up(tmp_path, Retention(), needed=(), now=NOW + LOOK_EVERY / 2) is None
    assert clean_up(tmp_path, Retention(), needed=(), now=NOW + LOOK_EVERY) is not None
    assert clean_up(tmp_path / "nothing", Retention(), needed=(), now=NOW) is None
