"""The storage root on an S3 API, through Airflow's object storage, with a real server of that API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from iru_servicenow.storage import storage_path

from include.errors import StorageFailed
from include.local.cluster.object_store import BUCKET, ObjectStore, running_object_store
from include.storage import list_files, read_frame, read_json, remove_tree, write_bytes, write_frame, write_json


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run an S3 server."""
    with running_object_store(log_path=tmp_path_factory.mktemp("s3") / "s3.log") as running:
        yield running


def _forget_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next path make a client of its own, as in a fresh process."""
    from airflow.sdk.io import store as stores
    from s3fs import S3FileSystem

    monkeypatch.setattr(stores, "_STORE_CACHE", {})
    S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["connection", "environment"])
def root(
    request: pytest.FixtureRequest, store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """Return a storage root of the test's own, signed for by Airflow's connection or by the environment."""
    _forget_clients(monkeypatch)
    if request.param == "connection":
        for name, value in store.connection().items():
            monkeypatch.setenv(name, value)
        yield f"{store.storage}/{tmp_path.name}"
        return
    for name, value in {
        "AWS_ACCESS_KEY_ID": store.key,
        "AWS_SECRET_ACCESS_KEY": store.secret,
        "AWS_ENDPOINT_URL": store.url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield f"s3://{BUCKET}/pipeline/{tmp_path.name}"


def test_files_come_back_as_they_were_written(root):
    """Every kind of file survives the way over the store, is replaced as a whole, and goes with its folder."""
    import pandas as pd

    folder = storage_path(root) / "runs" / "iru_apps" / "scheduled__2026-01-01T02:00:00+00:00"
    write_json(folder / "a.json", {"old": True})
    write_json(folder / "a.json", {"name": "Zoë"})
    write_frame(folder / "b.parquet", pd.DataFrame({"key": ["k1", "k2"]}))
    assert read_json(folder / "a.json") == {"name": "Zoë"}
    assert read_frame(folder / "b.parquet")["key"].tolist() == ["k1", "k2"]
    again = storage_path(str(folder))
    assert [path.name for path in list_files(again, ".json")] == ["a.json"]
    assert str(again.parent.name) == "iru_apps"
    remove_tree(folder)
    assert not again.exists()
    assert list_files(again, ".json") == []


def test_what_another_machine_has_written_since_is_seen(root, store, tmp_path):
    """A triggerer or an API server, which live for weeks, do not go by what a folder held when they first looked."""
    folder, elsewhere = storage_path(root) / "load", store.root / tmp_path.name / "load"
    write_bytes(folder / "1.sent.json", b"{}")
    assert [path.name for path in list_files(folder, ".sent.json")] == ["1.sent.json"]
    assert not (folder / "2.sent.json").exists()
    (elsewhere / "2.sent.json").write_bytes(b"{}")
    (elsewhere / "1.sent.json").unlink()
    assert (folder / "2.sent.json").exists()
    assert [path.name for path in list_files(storage_path(root) / "load", ".sent.json")] == ["2.sent.json"]
    assert [path.name for path in list_files(folder, ".sent.json")] == ["2.sent.json"]


def test_a_file_that_is_not_there_is_told_with_the_setting(root):
    """Whoever reads the failure knows which file and which setting."""
    with pytest.raises(StorageFailed, match=r"none\.json could not be read.*IRU_SERVICENOW_STORAGE"):
        read_json(storage_path(root) / "none.json")


def test_a_store_without_credentials_is_told_as_that(store, monkeypatch):
    """A client's own error becomes ours, which says where the credentials come from."""
    _forget_clients(monkeypatch)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    with pytest.raises(StorageFailed, match=r"NoCredentialsError.*connection that it names before an @"):
        write_bytes(storage_path(f"s3://{BUCKET}/nobody/x.json"), b"{}")
