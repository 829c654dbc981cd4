"""Applications: the robust transformer, and the nightly job that makes usage of them."""

from typing import Any

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
APPS = "x_kandj_kandji_kandji_import_set_apps"
APP = {
    "instance_key": "k1",
    "name": "Pages",
    "developer_name": "Apple",
    "version": "14.1",
    "path": "/Applications/Pages.app",
    "serial_number": "S1",
    "last_opened": "2026-01-02 03:04:05",
    "active": "true",
    "discovery_source": "Kandji",
}


def _usage(snow: Any) -> list[dict[str, str]]:
    fields = "configuration_item.serial_number,norm_product.name,last_used_time,reclamation_type,user.email"
    return snow.rows("samp_sw_usage", "ORDERBYnorm_product.name", fields=fields)


def test_a_whole_app_lands_in_the_documented_columns(snow: Any) -> None:
    """Every column of the integration's table is filled; the install refers to its computer."""
    snow.post(COMPUTER, {"serial_number": "S1"})
    snow.load(APPS, [APP])
    fields = (
        "instance_key,name,display_name,publisher,version,install_location,installed_on.serial_number,last_used,"
        "active,discovery_source"
    )
    assert snow.rows("cmdb_sam_sw_install", fields=fields) == [
        {
            "instance_key": "k1",
            "name": "Pages",
            "display_name": "Pages",
            "publisher": "Apple",
            "version": "14.1",
            "install_location": "/Applications/Pages.app",
            "installed_on.serial_number": "S1",
            "last_used": "2026-01-02 03:04:05",
            "active": "true",
            "discovery_source": "Kandji",
        }
    ]


def test_it_counts_processed_and_leaves_the_target_empty(snow: Any) -> None:
    """Total = processed + ignored + skipped + errors; inserted and updated are not told apart."""
    for apps in ([APP], [APP], [{**APP, "version": "15"}, {**APP, "instance_key": ""}]):
        run = snow.load(APPS, apps)
    counters = {n: run[n] for n in ("total", "processed", "inserts", "updates", "ignored", "skipped", "errors")}
    assert counters == {
        "total": "2", "processed": "1", "inserts": "0", "updates": "0", "ignored": "0", "skipped": "1", "errors": "0",
    }  # fmt: skip
    rows = snow.rows(APPS, f"sys_import_set={run['set']}^ORDERBYsys_import_row")
    assert [row["sys_import_state"] for row in rows] == ["processed", "skipped"]
    assert [row["sys_target_sys_id"] for row in rows] == ["", ""]
    assert [row["version"] for row in snow.rows("cmdb_sam_sw_install")] == ["15"]


def test_it_wins_over_a_transform_map_on_the_same_table(snow: Any) -> None:
    """Both on one table: only the robust transformer runs; switched off, the map does."""
    chosen = snow.create("sys_transform_map", name="M", source_table=APPS, target_table="core_company")
    snow.create("sys_transform_entry", map=chosen, source_field="developer_name", target_field="name")
    assert snow.load(APPS, [APP])["processed"] == "1"
    assert snow.rows("core_company") == []
    snow.patch("sys_robust_import_set_transformer", f"source_table={APPS}", active="false")
    assert snow.load(APPS, [APP])["inserts"] == "1"
    assert [row["name"] for row in snow.rows("core_company")] == ["Apple"]


def test_an_unreadable_time_leaves_last_used_empty(snow: Any) -> None:
    """ISO 8601 is not among ServiceNow's formats: the value is lost, with a comment, and the row goes on."""
    run = snow.load(APPS, [{**APP, "last_opened": "2026-01-02T03:04:05Z"}])
    assert run["processed"] == "1"
    assert snow.rows("cmdb_sam_sw_install")[0]["last_used"] == ""
    assert "last_used" in snow.rows(APPS)[0]["sys_import_state_comment"]


def test_a_removed_app_stays_with_active_false(snow: Any) -> None:
    """Removal is an update of the same install."""
    snow.load(APPS, [APP])
    snow.load(APPS, [{**APP, "active": "false"}])
    assert [row["active"] for row in snow.rows("cmdb_sam_sw_install")] == ["false"]


def test_the_publisher_makes_usage_of_active_installs(snow: Any) -> None:
    """One record a device and product, with the latest use; neither removed nor never used apps count."""
    snow.post(COMPUTER, {"serial_number": "S1", "assigned_user": "ann@example.com"})
    apps = [
        APP,
        {**APP, "instance_key": "k2", "path": "/other", "last_opened": "2026-02-02 00:00:00"},
        {**APP, "instance_key": "k3", "name": "Numbers", "last_opened": ""},
        {**APP, "instance_key": "k4", "name": "Keynote", "active": "false"},
        {**APP, "instance_key": "k5", "name": "Adrift", "serial_number": "none"},
    ]
    snow.load(APPS, apps)
    assert snow.call("POST", "/_sandbox/jobs/usage-publisher").json() == {"written": 1}
    pages = {
        "configuration_item.serial_number": "S1",
        "norm_product.name": "Pages",
        "last_used_time": "2026-02-02 00:00:00",
        "reclamation_type": "last_used",
        "user.email": "ann@example.com",
    }
    assert _usage(snow) == [pages]
    snow.load(APPS, [{**APP, "last_opened": "2026-03-03 00:00:00"}])
    assert snow.call("POST", "/_sandbox/jobs/usage-publisher").json() == {"written": 1}
    assert _usage(snow) == [{**pages, "last_used_time": "2026-03-03 00:00:00"}]
    assert snow.call("POST", "/_sandbox/jobs/usage-publisher").json() == {"written": 0}


def test_midnight_publishes_usage_and_closes_shared_sets(snow: Any) -> None:
    """What ServiceNow does by night happens when the clock passes midnight, UTC."""
    snow.post(COMPUTER, {"serial_number": "S1"})
    snow.load(APPS, [APP])
    snow.travel(86_400)
    assert len(_usage(snow)) == 1
    (shared,) = snow.rows("sys_import_set", "mode=synchronous")
    assert shared["state"] == "processed"
    (run,) = snow.rows("sys_import_set_run", f"set={shared['sys_id']}")
    assert run["state"] == "complete"
    snow.post(COMPUTER, {"serial_number": "S2"})
    assert len(snow.rows("sys_import_set", "mode=synchronous")) == 2


def test_import_sets_are_deleted_after_seven_days(snow: Any) -> None:
    """The Import Set Deleter takes sets, rows and runs; the targets stay."""
    snow.load(APPS, [APP])
    snow.travel(6 * 86_400)
    assert len(snow.rows(APPS)) == 1
    snow.travel(2 * 86_400)
    assert [snow.rows(table) for table in (APPS, "sys_import_set", "sys_import_set_run")] == [[], [], []]
    assert len(snow.rows("cmdb_sam_sw_install")) == 1
