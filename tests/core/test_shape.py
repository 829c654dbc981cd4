"""Every row of a source becomes a staging row, or is left out for a reason that is said."""

import pytest
from factories import MAPPING, app, cells, device, params, prism_device, reasons, shaped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cells import JSON

from include.inventory.mapping import Feed
from include.inventory.read_sources import source_fields


def test_a_mac_becomes_the_documented_computer_row(tmp_path):
    """The computer feed fills the staging columns of the integration's documentation."""
    result = shaped(tmp_path, "computer", [device()], prism=[prism_device()])
    assert cells(result.rows) == {
        "assigned_user": "u1@example.com",
        "device_capacity": "245",
        "device_name": "Mac 1",
        "discovery_source": "Kandji",
        "model_name": "MacBook Air",
        "os_type": "macOS",
        "os_version": "14.4.1",
        "serial_number": "SER1",
        "manufacturer": "Apple",
    }
    assert result.rows["_key"].tolist() == ["ser1"]


def test_a_device_becomes_the_documented_mdm_row(tmp_path):
    """The mdm feed identifies a device by its id and its blueprint."""
    result = shaped(tmp_path, "mdm", [device()])
    expected = {"device_id": "d1", "blueprint_id": "b1", "serial_number": "SER1", "discovery_source": "Kandji"}
    assert cells(result.rows) == expected


def test_an_app_becomes_the_documented_app_row(tmp_path):
    """The apps feed fills the staging columns of the integration's documentation; what Iru lacks stays empty."""
    row = cells(shaped(tmp_path, "apps", [app()]).rows)
    assert len(row.pop("instance_key")) == 32
    assert row == {
        "name": "App 1",
        "developer_name": "Example Inc.",
        "version": "1.0",
        "path": "/Applications/App 1.app",
        "serial_number": "SER1",
        "active": "true",
        "discovery_source": "Kandji",
    }


@pytest.mark.parametrize(
    ("platform", "os_type"),
    [("Mac", "macOS"), ("iPhone", "iOS"), ("iPod", "iOS"), ("iPad", "iPadOS"), ("AppleTV", "tvOS"), ("tvOS", "tvOS")],
)
def test_every_apple_platform_has_its_system(tmp_path, platform, os_type):
    """The platform's name in Iru becomes the operating system's name in ServiceNow."""
    assert cells(shaped(tmp_path, "computer", [device(platform=platform)]).rows)["os_type"] == os_type


@pytest.mark.parametrize("nobody", ["", None, {}])
def test_an_unassigned_device_has_no_user(tmp_path, nobody):
    """However an endpoint spells "nobody", the assigned user is left out."""
    assert "assigned_user" not in cells(shaped(tmp_path, "computer", [device(user=nobody)]).rows)


def test_without_a_prism_row_the_list_tells_the_model(tmp_path):
    """A device that Prism does not know yet is carried with what /devices knows."""
    row = cells(shaped(tmp_path, "computer", [device()]).rows)
    assert row["model_name"] == "MacBook Air (M1, 2020)"
    assert "device_capacity" not in row


@pytest.mark.parametrize("platform", ["Windows", "Android"])
@pytest.mark.parametrize("feed", ["computer", "mdm"])
def test_other_platforms_are_filtered_and_counted(tmp_path, platform, feed):
    """Windows and Android devices are out of scope: filtered with the reason, not rejected."""
    result = shaped(tmp_path, feed, [device(), device(2, platform=platform, serial_number="")])
    assert result.filtered.to_dict("records") == [{"row": 1, "reason": f"platform {platform} is out of scope"}]
    assert result.rejected == 0
    assert len(result.rows) == 1


@pytest.mark.parametrize(("feed", "rows"), [("computer", [device()]), ("mdm", [device()]), ("apps", [app()])])
@pytest.mark.parametrize("empty", ["", "  ", None])
def test_rows_without_a_serial_number_are_rejected_in_every_feed(tmp_path, feed, rows, empty):
    """A row without a serial number is rejected with that reason, and the rest goes on."""
    result = shaped(tmp_path, feed, [rows[0] | {"serial_number": empty, "path": "/other", "device_id": "d9"}, *rows])
    assert reasons(result) == {0: "serial_number is empty"}
    assert len(result.rows) == 1


def test_an_unknown_platform_is_rejected_with_the_reason(tmp_path):
    """A platform that the mapping does not know is named in the rejection."""
    result = shaped(tmp_path, "computer", [device(platform="Newton"), device(2)])
    assert "os_type 'Newton' is not one of" in reasons(result)[0]
    assert len(result.rows) == 1


def test_a_rejection_names_the_device(tmp_path):
    """A person can find a rejected device in Iru by its id and serial number."""
    rejects = shaped(tmp_path, "computer", [device(platform="Newton")]).rejects
    assert rejects[["row", "device_id", "serial_number"]].to_dict("records") == [
        {"row": 0, "device_id": "d1", "serial_number": "SER1"}
    ]


def test_all_mistakes_of_a_row_are_reported_in_one_run(tmp_path):
    """Validation is lazy: one run names every bad column of every bad row."""
    rows = [device(serial_number="", platform="Newton"), device(2), device(3, os_version=["14"], device_name={"a": 1})]
    found = reasons(shaped(tmp_path, "computer", rows, prism=[prism_device(3, device_capacity="much")]))
    assert set(found) == {0, 2}
    assert all(word in found[0] for word in ("serial_number is empty", "os_type"))
    assert all(word in found[2] for word in ("os_version", "device_name", "device_capacity is not a number"))


FEEDS = [pytest.param(name, id=name) for name in MAPPING.feeds]
BAD = [[1], float("nan"), "\ud800", [], {}]


def _rows(feed: Feed) -> list[dict]:
    return [device(n) if feed.source == "devices" else app(n) for n in (1, 2, 3)]


def _with(feed: Feed, rows: list[dict], field: str, value: object) -> tuple[list[dict], list[dict]]:
    """Put a value into a field of the middle row; return rows and Prism's rows."""
    prism = [prism_device(n) for n in (1, 2, 3)]
    if field.startswith("prism."):
        prism[1] |= {field.removeprefix("prism."): value}
    elif field.startswith("user_"):
        rows[1]["user"] = rows[1]["user"] | {field.removeprefix("user_"): value}
    elif field == "app_identity":
        rows[1]["bundle_id"] = value
    else:
        rows[1] |= {field: value}
    return rows, prism


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_a_value_that_no_cell_can_hold_rejects_only_its_row(tmp_path, feed, bad):
    """A list, an object, NaN or a lone surrogate in any field that a feed carries rejects that row and no other."""
    of = MAPPING.feeds[feed]
    for field in {name for column in of.columns for name in column.sources}:
        rows, prism = _with(of, _rows(of), field, bad)
        result = shaped(tmp_path, feed, rows, prism=prism)
        assert set(reasons(result)) == {1}, field
        assert result.rows["_row"].tolist() == [0, 2], field


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=JSON)
def test_any_json_value_leaves_its_neighbours_alone(tmp_path, data, value):
    """Whatever a field holds, nothing is raised, the row has one end, and the rows beside it go on."""
    of = MAPPING.feeds[data.draw(st.sampled_from(sorted(MAPPING.feeds)))]
    field = data.draw(st.sampled_from(sorted(source_fields(MAPPING, of.source))))
    rows, prism = _with(of, _rows(of), field, value)
    result = shaped(tmp_path, of.name, rows, prism=prism)
    ends = [*result.rows["_row"], *result.rejects["row"].unique(), *result.filtered["row"]]
    assert sorted(ends) == [0, 1, 2]
    assert {0, 2} <= set(result.rows["_row"]) or field in ("serial_number", "device_id", "app_identity", "path")


def test_a_user_that_is_no_object_rejects_the_row(tmp_path):
    """An assigned user in a form that the documentation does not know is not sent as nobody."""
    assert set(reasons(shaped(tmp_path, "computer", [device(user=["u"]), device(2)]))) == {0}


def test_a_row_that_reads_null_is_escaped_in_every_column(tmp_path):
    """The word NULL arrives as a word; it would empty the field otherwise."""
    row = cells(shaped(tmp_path, "computer", [device(device_name="NULL", serial_number=" NULL ")]).rows)
    assert row["device_name"] == "Null"
    assert row["serial_number"] == "Null"


def test_exact_repetitions_are_filtered(tmp_path):
    """A row that is listed twice is sent once, and the repetition is counted."""
    result = shaped(tmp_path, "apps", [app(), app(), app(2)])
    assert result.rows["_row"].tolist() == [0, 2]
    assert result.filtered.to_dict("records") == [{"row": 1, "reason": "an exact repetition of another row"}]


def test_of_rows_that_share_a_key_the_newest_goes_on(tmp_path):
    """Two devices with one serial number: the last enrolled one is sent, the other rejected with the reason."""
    old = device(1, serial_number="SAME", last_enrollment="2023-01-01 00:00:00+00:00")
    new = device(2, serial_number="same", last_enrollment="2024-01-01T00:00:00Z")
    result = shaped(tmp_path, "computer", [new, old, device(3)])
    assert result.rows["_row"].tolist() == [0, 2]
    assert reasons(result) == {1: "serial_number row 0 has the same key and is newer"}


def test_a_row_without_a_usable_time_is_the_oldest(tmp_path):
    """Among rows of one key, one with a broken time never beats one with a time."""
    broken = device(2, serial_number="SER1", last_enrollment=["?"])
    result = shaped(tmp_path, "computer", [device(1), broken])
    assert result.rows["_row"].tolist() == [0]


@pytest.mark.parametrize("asked", ["AppleTV", "tvOS"])
def test_families_are_filtered_under_both_spellings(tmp_path, asked):
    """Whoever asks for AppleTV or tvOS gets the rows of both spellings, and no others."""
    rows = [app(1), app(2, device__family="tvOS"), app(3, device__family="AppleTV"), app(4, device__family="iPad")]
    result = shaped(tmp_path, "apps", rows, device_families=[asked])
    assert result.rows["_row"].tolist() == [1, 2]
    assert result.filtered["reason"].tolist() == [
        "device family Mac is not among those of this run",
        "device family iPad is not among those of this run",
    ]


@pytest.mark.parametrize("family", ["Newton", None])
@pytest.mark.parametrize("feed", ["computer", "mdm", "apps"])
def test_a_run_for_some_families_sends_no_device_of_an_unknown_one(tmp_path, family, feed):
    """An operator who asks for Macs gets Macs, not also whatever the pipeline cannot name."""
    row = app(device__family=family) if feed == "apps" else device(platform=family)
    result = shaped(tmp_path, feed, [row], device_families=["Mac"])
    assert result.rows.empty
    assert len(result.filtered) + result.rejected == 1


@pytest.mark.parametrize("asked", ["b2", "Field team"])
def test_blueprints_are_filtered_by_id_or_name(tmp_path, asked):
    """A blueprint may be named either way."""
    rows = [device(1), device(2, blueprint_id="b2", blueprint_name="Field team"), device(3, blueprint_id=None)]
    result = shaped(tmp_path, "computer", rows, blueprints=[asked])
    assert result.rows["_row"].tolist() == [1]
    assert set(result.filtered["reason"]) == {"blueprint is not among those of this run"}


def test_every_row_has_one_end(tmp_path):
    """Rows, rejects and filtered rows together are the extracted rows, each once."""
    rows = [device(1), device(1), device(2, platform="Windows"), device(3, serial_number=""), device(4, platform=5)]
    rows += [device(5, serial_number="SER1", device_name="Other", last_enrollment=None), device(6)]
    result = shaped(tmp_path, "computer", rows)
    ends = [*result.rows["_row"], *result.rejects["row"].unique(), *result.filtered["row"]]
    assert sorted(ends) == list(range(result.extracted)) == list(range(7))


def test_no_rows_at_all_are_no_problem(tmp_path):
    """An empty tenant gives empty frames."""
    for feed in MAPPING.feeds:
        result = shaped(tmp_path, feed, [])
        assert (result.extracted, len(result.rows), result.rejected, len(result.filtered)) == (0, 0, 0, 0)


def test_seen_lists_the_keys_of_left_out_rows_too(tmp_path):
    """A rejected or filtered row is still listed by Iru, so its record must not be taken for removed."""
    rows = [device(1, platform="Newton"), device(2, platform="Windows"), device(3)]
    result = shaped(tmp_path, "computer", rows, device_families=["Mac"])
    assert sorted(result.seen["_key"]) == ["ser1", "ser2", "ser3"]


def _key(tmp_path, **changes) -> str:
    return shaped(tmp_path, "apps", [app(**changes)]).rows["_key"][0]


def test_an_app_keeps_its_key_through_an_update(tmp_path):
    """A new version, developer or name of the same app updates its install instead of adding one."""
    assert _key(tmp_path) == _key(tmp_path, version="2.0", developer_name="Other", name="Renamed")


def test_an_app_has_another_key_on_another_device_or_path(tmp_path):
    """Installs on two devices, at two paths, or of two bundles are two records."""
    keys = {_key(tmp_path), _key(tmp_path, device_id="d2"), _key(tmp_path, path="/x"), _key(tmp_path, bundle_id="y")}
    assert len(keys) == 4


@pytest.mark.parametrize("none", ["", None, "  "])
def test_an_app_without_a_bundle_id_is_known_by_its_name(tmp_path, none):
    """Two apps without a bundle id in one place are told apart by name."""
    assert _key(tmp_path, bundle_id=none, name="A") != _key(tmp_path, bundle_id=none, name="B")


def test_the_key_of_an_app_stays_the_same_forever(tmp_path):
    """A literal key guards against a change that would send every app again as a new install."""
    assert _key(tmp_path) == "54a8c084866f2ad7b60c1b3edd36cc4e"


@pytest.mark.parametrize(
    "changes", [{"device_id": ""}, {"device_id": ["d"]}, {"path": ["/x"]}, {"bundle_id": {"a": 1}}], ids=repr
)
def test_an_app_whose_key_cannot_be_told_is_counted(tmp_path, changes):
    """A key over a part that cannot be read is no key: the row could be any install, so removals must stop."""
    result = shaped(tmp_path, "apps", [app(**changes), app(2)])
    assert result.unkeyed == 1
    assert len(result.seen) == 1


def test_an_unkeyed_app_counts_although_this_run_filters_it(tmp_path):
    """A row that is left out of the run may still be an install that ServiceNow holds."""
    assert shaped(tmp_path, "apps", [app(device_id=None)], blueprints=["other"]).unkeyed == 1
    assert shaped(tmp_path, "apps", [app(device_id=None, device__family="Android")]).unkeyed == 0


def test_an_app_that_the_tenant_flags_as_removed_is_inactive(tmp_path):
    """Where a tenant sends is_removed, its word is taken."""
    rows = [app(1, is_removed=True), app(2, is_removed="False"), app(3, is_removed=["?"]), app(4)]
    assert shaped(tmp_path, "apps", rows).rows["active"].tolist() == ["false", "true", "true", "true"]


def test_params_name_only_what_a_shape_knows():
    """The helper that these tests share checks params as a run does."""
    assert params(device_families=["tvOS"]).device_families == ("AppleTV",)
