"""The mapping is data that an operator overrides, and every mistake in it is named with its file and place."""

import tomllib

import pytest
from factories import MAPPING, cells, device, reasons, shaped

from include.errors import SetupWrong
from include.inventory.mapping import DEFAULT_MAPPING, load_mapping
from include.inventory.mapping_check import build_mapping


@pytest.fixture
def override(tmp_path):
    """Write an operator's file and load it over the default."""

    def load(text: str):
        path = tmp_path / "ours.toml"
        path.write_text(text, encoding="utf-8")
        return load_mapping(path)

    return load


def test_the_default_mapping_has_the_documented_staging_columns():
    """The columns are those on Iru's side of the integration's documentation."""
    assert {name: feed.staging_table for name, feed in MAPPING.feeds.items()} == {
        "computer": "x_kandj_kandji_kandji_import_set_computer",
        "mdm": "x_kandj_kandji_kandji_import_set_mdm",
        "apps": "x_kandj_kandji_kandji_import_set_apps",
    }
    assert set(MAPPING.feeds["computer"].column_names) == {
        "assigned_user", "device_capacity", "device_name", "discovery_source", "model_name", "os_type", "os_version",
        "serial_number", "manufacturer",
    }  # fmt: skip
    assert set(MAPPING.feeds["mdm"].column_names) == {"device_id", "blueprint_id", "serial_number", "discovery_source"}
    assert set(MAPPING.feeds["apps"].column_names) == {
        "instance_key", "name", "developer_name", "version", "path", "serial_number", "last_opened", "active",
        "discovery_source",
    }  # fmt: skip


def test_an_override_adds_a_column_and_keeps_the_others(override, tmp_path):
    """What an override does not name stays as it is."""
    mapping = override('[feeds.computer.columns]\nu_asset_tag = { from = "asset_tag" }')
    assert mapping.feeds["computer"].column_names == (*MAPPING.feeds["computer"].column_names, "u_asset_tag")
    assert mapping.feeds["apps"] == MAPPING.feeds["apps"]
    row = cells(shaped(tmp_path, "computer", [device(asset_tag="A7")], mapping=mapping).rows)
    assert row["u_asset_tag"] == "A7"


def test_an_override_replaces_a_column_whole(override):
    """An overridden column has nothing left of its default."""
    column = override('[feeds.computer.columns]\nos_type = { from = "os_version" }').feeds["computer"].column("os_type")
    assert (column.fields, dict(column.translate), column.required) == (("os_version",), {}, False)


def test_an_override_removes_a_column_with_false(override):
    """A staging table that lacks a column gets no value for it."""
    names = override("[feeds.computer.columns]\nmanufacturer = false").feeds["computer"].column_names
    assert set(MAPPING.feeds["computer"].column_names) - set(names) == {"manufacturer"}


def test_an_override_changes_table_key_and_scope(override, tmp_path):
    """Staging table, key and the platforms out of scope are an operator's to say."""
    mapping = override(
        '[devices]\nout_of_scope = ["Windows", "Android", "AppleTV"]\n'
        '[feeds.mdm]\nstaging_table = "u_mdm"\nkey = ["device_id"]'
    )
    assert (mapping.feeds["mdm"].staging_table, mapping.feeds["mdm"].key) == ("u_mdm", ("device_id",))
    result = shaped(tmp_path, "mdm", [device(platform="AppleTV"), device(2)], mapping=mapping)
    assert result.filtered["row"].tolist() == [0]


def test_a_tenant_may_send_its_own_field_names(override, tmp_path):
    """A field outside the published API is read where the mapping says that the tenant sends it."""
    mapping = override('[feeds.computer.columns]\nu_x = { from = "secret_field", undocumented = true }')
    assert cells(shaped(tmp_path, "computer", [device(secret_field="v")], mapping=mapping).rows)["u_x"] == "v"


def test_the_first_field_with_a_value_wins(override, tmp_path):
    """A list of fields is read in its order, and empty ones are passed over."""
    mapping = override('[feeds.computer.columns]\nu_x = { from = ["asset_tag", "device_name"] }')
    rows = [device(asset_tag=" "), device(2, asset_tag="A")]
    assert shaped(tmp_path, "computer", rows, mapping=mapping).rows["u_x"].tolist() == ["Mac 1", "A"]


def test_a_mapped_time_and_boolean_are_converted_and_checked(override, tmp_path):
    """A column's type says how its value is written, and a value of another kind is rejected with the reason."""
    mapping = override(
        '[feeds.computer.columns]\nu_at = { from = "last_check_in", type = "timestamp" }\n'
        'u_on = { from = "mdm_enabled", type = "boolean" }'
    )
    rows = [device(last_check_in="2024-07-23T14:11:37.150080Z", mdm_enabled="True"), device(2, last_check_in="never")]
    result = shaped(tmp_path, "computer", [*rows, device(3, mdm_enabled="perhaps")], mapping=mapping)
    assert cells(result.rows)["u_at"] == "2024-07-23 14:11:37"
    assert cells(result.rows)["u_on"] == "true"
    assert reasons(result) == {1: "u_at is not a time", 2: "u_on is neither true nor false"}


MISTAKES = {
    "[feeds.computer.columns]\nx = { from = 'device_nam' }": ("feeds.computer.columns.x", "device_nam"),
    "[feeds.apps.columns]\nx = { from = 'device_name' }": ("feeds.apps.columns.x", "device_name"),
    "[feeds.apps.columns]\nx = { digest_of = ['device_id', 'nope'] }": ("feeds.apps.columns.x", "nope"),
    "[feeds.computer.columns]\nx = { from = 'model', colour = 'red' }": ("feeds.computer.columns.x", "colour"),
    "[feeds.computer.columns]\nx = { from = 'model', constant = 'y' }": ("feeds.computer.columns.x", "exactly one"),
    "[feeds.computer.columns]\nx = { required = true }": ("feeds.computer.columns.x", "exactly one"),
    "[feeds.computer.columns]\nx = { from = [] }": ("feeds.computer.columns.x", "from"),
    "[feeds.computer.columns]\nx = { from = [1] }": ("feeds.computer.columns.x", "from"),
    "[feeds.computer.columns]\nx = 'model'": ("feeds.computer.columns.x", "table"),
    "[feeds.computer.columns]\nx = true": ("feeds.computer.columns.x", "table"),
    "[feeds.computer.columns]\nx = { constant = 5 }": ("feeds.computer.columns.x.constant", "5"),
    "[feeds.computer.columns]\nx = { constant = 'NULL' }": ("feeds.computer.columns.x.constant", "NULL"),
    "[feeds.computer.columns]\nx = { from = 'model', type = 'date' }": ("feeds.computer.columns.x.type", "date"),
    "[feeds.computer.columns]\nx = { from = 'model', type = ['text'] }": ("feeds.computer.columns.x.type", "text"),
    "[feeds.computer.columns]\nx = { from = 'model', too_long = 'x' }": ("feeds.computer.columns.x.too_long", "cut"),
    "[feeds.computer.columns]\nx = { from = 'model', on_empty = 'x' }": ("feeds.computer.columns.x.on_empty", "keep"),
    "[feeds.computer.columns]\nx = { from = 'model', required = 'no' }": ("feeds.computer.columns.x.required", "no"),
    "[feeds.computer.columns]\nx = { from = 'm', undocumented = 'y' }": ("feeds.computer.columns.x.undocumented", "y"),
    "[feeds.computer.columns]\nx = { from = 'model', label = 3 }": ("feeds.computer.columns.x.label", "3"),
    "[feeds.computer.columns]\nx = { from = 'model', translate = 'a' }": ("feeds.computer.columns.x.translate", "a"),
    "[feeds.computer.columns]\nx = { from = 'model', translate = {a = 1} }": (
        "feeds.computer.columns.x.translate",
        "1",
    ),
    "[feeds.computer.columns]\n_x = { from = 'model' }": ("feeds.computer.columns._x", "underscore"),
    "[feeds.computer.columns]\nmanufactur = false": ("feeds.computer.columns.manufactur", "false"),
    "[feeds.computer.columns]\nserial_number = false": ("feeds.computer", "serial_number"),
    "[feeds.computer]\nkey = ['nope']": ("feeds.computer", "nope"),
    "[feeds.computer]\nkey = []": ("feeds.computer.key", "at least one"),
    "[feeds.computer]\nkey = 7": ("feeds.computer.key", "7"),
    "[feeds.computer]\nsource = 'phones'": ("feeds.computer.source", "phones"),
    "[feeds.computer]\nsource = ['devices']": ("feeds.computer.source", "devices"),
    "[feeds.computer]\nstaging_table = ''": ("feeds.computer.staging_table", "text"),
    "[feeds.computer]\ncolour = 'red'": ("feeds.computer", "colour"),
    "[feeds.computer]\ncolumns = 3": ("feeds.computer.columns", "table"),
    "[feeds.more]\nsource = 'devices'\nstaging_table = 't'\nkey = 'a'": ("feeds.more.columns", "table"),
    "[feeds.apps]\npartner = 'nope'": ("feeds.apps.partner", "nope"),
    "[feeds.apps]\npartner = 3": ("feeds.apps.partner", "3"),
    "[feeds.apps]\npartner = 'mdm'": ("feeds.apps.partner", "device_id"),
    "[feeds.apps]\nremoved = 3": ("feeds.apps.removed", "table"),
    "[feeds.apps]\nremoved = { flag = 3 }": ("feeds.apps.removed.flag", "3"),
    "[feeds.apps]\nremoved = { colour = 'red' }": ("feeds.apps.removed", "colour"),
    "[feeds.apps]\nremoved = { values = { nope = 'x' } }": ("feeds.apps", "nope"),
    "[feeds.apps]\nremoved = { values = { active = false } }": ("feeds.apps.removed.values", "False"),
    "feeds = 3": ("feeds", "table"),
    "[feeds]\ncomputer = 3": ("feeds.computer", "table"),
    "[colour]\nred = 1": ("ours.toml", "colour"),
    "[devices]\nout_of_scop = []": ("devices", "out_of_scop"),
    "[devices]\nout_of_scope = [1]": ("devices.out_of_scope", "1"),
    "devices = 3": ("devices", "table"),
    "this is no TOML": ("ours.toml", "TOML"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_every_mistake_is_named_with_file_and_place(override, text):
    """A wrong mapping is one clear error with file, entry and what is wrong about it."""
    place, words = MISTAKES[text]
    with pytest.raises(SetupWrong) as caught:
        override(text)
    assert "ours.toml" in str(caught.value)
    assert place in str(caught.value)
    assert words in str(caught.value)


def test_a_mapping_file_that_is_not_there_is_named(tmp_path):
    """A wrong path in the settings is named."""
    with pytest.raises(SetupWrong, match=r"none\.toml cannot be read"):
        load_mapping(tmp_path / "none.toml")


def test_a_mapping_that_is_no_text_is_named(tmp_path):
    """A file in another encoding is named instead of raising Unicode's own error."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b"x = '\xe9'")
    with pytest.raises(SetupWrong, match=r"latin\.toml is not valid TOML"):
        load_mapping(path)


def test_a_mapping_without_feeds_is_named():
    """A mapping has to say which feeds there are."""
    data = tomllib.loads(DEFAULT_MAPPING.read_text(encoding="utf-8"))
    with pytest.raises(SetupWrong, match=r"some\.toml"):
        build_mapping({"devices": data["devices"]}, "some.toml")
