"""An export gives the same rows as the pages, its address is nobody's business, and the pages are always there."""

import csv
import gzip
import io
import logging
from dataclasses import dataclass, field

import pytest
from factories import MAPPING, source_frame
from hypothesis import given
from hypothesis import strategies as st
from scripted import Asked, Reply, Scripted, serving

from include.errors import PipelineError, StorageFailed
from include.inventory.extract import Collection, extract
from include.inventory.page_files import iter_pages
from include.inventory.read_sources import source_fields
from include.inventory.run_folder import RunFolder
from include.iru import export as export_module
from include.iru.client import IruClient, IruSettings
from include.iru.csv_rows import ExportUnusable, iter_csv
from include.iru.export import iter_export
from include.sandbox.fleet import FleetSpec, generate_fleet
from include.sandbox.iru import IruSettings as TenantSettings
from include.sandbox.iru import IruSwitches, create_app
from include.sandbox.server import Server
from include.web.retry import RetryPolicy

TOKEN = "11111111-2222-4333-8444-5555SECRET99"
SIGNATURE = "X-Amz-Signature=SECRETSIGNATURE"
FIELDS = source_fields(MAPPING, "apps")
SPEC = FleetSpec(devices=120, apps_per_device=6, seed=5)
ROW = {"device_id": "d1", "name": "App", "version": "1.10", "app_clip": True, "bundle_size": 5, "path": None}


def as_csv(rows: list[dict], header: list[str] | None = None) -> bytes:
    """Return rows as an export has them."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    names = header or list(rows[0])
    writer.writerow(names)
    writer.writerows([row.get(name) for name in names] for row in rows)
    return stream.getvalue().encode()


@dataclass
class Tenant:
    """A scripted tenant with one app, the export of it, and its object storage; change a field to make it odd."""

    rows: list[dict] = field(default_factory=lambda: [ROW])
    file: Reply = field(default_factory=lambda: Reply(as_csv([ROW]), headers={"Content-Type": "text/csv"}))
    post: Reply | None = None
    states: list[dict] = field(default_factory=list)
    address: str = ""
    expired: int = 0
    storage: Scripted | None = None
    waits: list[float] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request to the API."""
        if asked.path == "/api/v1/prism/count":
            return Reply({"count": len(self.rows)})
        if asked.path == "/api/v1/prism/apps":
            return Reply({"data": self.rows[: int(asked.query["limit"])], "cursor": None, "total": len(self.rows)})
        pending = {"id": "e1", "status": "pending", "signed_url": None, "error_msg": None}
        if asked.method == "POST":
            return self.post or Reply(pending)
        assert asked.path == "/api/v1/prism/export/e1"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0] if self.states else {"status": "success"}
        address = self.address or f"{self.storage.url if self.storage else ''}/export.csv?{SIGNATURE}"
        return Reply(pending | {"signed_url": address if state.get("status") == "success" else None} | state)

    def store(self, asked: Asked) -> Reply:
        """Answer one request to the object storage."""
        if self.expired:
            self.expired -= 1
            return Reply(b"<Error><Message>Request has expired</Message></Error>", 403)
        return self.file


@pytest.fixture
def connect():
    """Start a tenant with its storage and return a client."""
    running = []

    def start(tenant: Tenant, **options) -> IruClient:
        for script in (tenant.store, tenant):
            running.append(serving(script))
        tenant.storage, api = (server.__enter__() for server in running[-2:])
        retry = RetryPolicy(attempts=2, sleep=tenant.waits.append)
        client = IruClient(IruSettings(api.url, TOKEN, **options), retry=retry)
        client.api = api
        return client

    yield start
    for server in running:
        server.__exit__(None, None, None)


def extracted(client: IruClient, tmp_path, **options) -> tuple[Collection, list[dict]]:
    """Extract apps by export and return what was found and the rows of the pages."""
    folder = RunFolder(tmp_path / "run")
    found = extract(client, "apps", folder, method="export", **options).collections["apps"]
    return found, [row for page in iter_pages(folder.pages("apps")) for row in page]


def test_an_export_gives_the_same_rows_as_the_pages(tmp_path):
    """Read either way from the sandbox, both Prism categories make the same source frames, cell by cell."""
    fleet, switches = generate_fleet(SPEC), IruSwitches(export_delay_s=0.0, prism_last_opened=True)
    frames = {}
    with Server(create_app(TenantSettings(spec=SPEC, fleet=fleet, token=TOKEN, switches=switches))) as server:
        for method in ("pages", "export"):
            client = IruClient(IruSettings(server.url, TOKEN), retry=RetryPolicy(sleep=lambda _: None))
            folder = RunFolder(tmp_path / method)
            for source in ("apps", "devices"):
                fields = source_fields(MAPPING, source)
                found = extract(client, source, folder, method=method, fields=fields)
                assert all(collection.complete for collection in found.collections.values())
                frames[method, source] = source_frame(folder, source)
    assert len(frames["pages", "apps"]) > 500
    for source in ("apps", "devices"):
        by_pages, by_export = frames["pages", source], frames["export", source]
        order = ["device_id", "path", "name"] if source == "apps" else ["device_id"]
        by_pages, by_export = (f.sort_values(order, ignore_index=True) for f in (by_pages, by_export))
        for name in by_pages:  # JSON tells "" from null, CSV does not; both are no value
            assert by_export[name].tolist() == [cell if cell != "" else None for cell in by_pages[name]] or (
                source == "devices" and not name.startswith("prism.")
            )


def test_values_come_back_as_json_has_them(connect, tmp_path):
    """Flags, numbers and empty cells are converted by their key; what only looks like a number stays text."""
    rows = [
        ROW,
        ROW | {"app_clip": False, "bundle_size": 1.5, "version": "007", "name": 'a "b",\r\nc'},
        ROW | {"app_clip": None, "bundle_size": None, "version": "true"},
    ]
    tenant = Tenant(rows=rows, file=Reply(as_csv(rows)))
    found, read = extracted(connect(tenant), tmp_path)
    assert read == rows
    assert found == Collection(rows=3, pages=1, expected=3)


def test_an_export_is_split_into_pages(connect, tmp_path):
    """However large the file, the stages after it see pages of 300 rows."""
    rows = [ROW | {"name": f"App {n}"} for n in range(650)]
    tenant = Tenant(rows=rows, file=Reply(gzip.compress(as_csv(rows)), headers={"Content-Encoding": "gzip"}))
    found, read = extracted(connect(tenant), tmp_path)
    assert (found.pages, read) == (3, rows)


def test_the_file_is_fetched_without_the_token(connect, tmp_path, monkeypatch):
    """The storage sees neither the token, nor what a .netrc file has for its host, nor a cookie of the API."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    tenant = Tenant(post=Reply({"id": "e1", "status": "pending"}, headers={"Set-Cookie": "a=b; Path=/"}))
    client = connect(tenant)
    assert extracted(client, tmp_path)[1] == [ROW]
    assert len(tenant.storage.asked) == 1
    headers = tenant.storage.asked[0].headers
    assert "authorization" not in headers
    assert "cookie" not in headers
    assert TOKEN not in str(headers)
    assert all(asked.token == TOKEN for asked in client.api.asked)


def test_the_file_is_fetched_through_the_connections_proxy(connect, tmp_path):
    """Where only a proxy leads outside, it leads to the storage too; it sees no token there."""
    tenant = Tenant()

    def proxied(asked: Asked) -> Reply:
        return tenant.file if "export.csv" in asked.path else tenant(asked)

    with serving(proxied) as proxy:
        client = connect(tenant, proxies={"http": proxy.url})
        assert extracted(client, tmp_path)[1] == [ROW]
        assert client.api.asked == tenant.storage.asked == []
        assert [a.token for a in proxy.asked if "export.csv" in a.path] == [""]


def test_a_redirect_of_the_storage_is_not_followed(connect, tmp_path):
    """A signed address leads to its file or nowhere; then the pages are read."""
    with serving(lambda _: Reply(as_csv([ROW]))) as elsewhere:
        tenant = Tenant(file=Reply(status=302, headers={"Location": elsewhere.url}))
        assert extracted(connect(tenant), tmp_path)[1] == [ROW]
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "//127.0.0.1/x", "x", "https://",
        "https://u:p@example.com/x", "http://[", "https://example.com:99999999/x", 5, ["x"], {"a": 1}, True,
        "https://exa mple.com\r\nX: y",
    ],
    ids=str,
)  # fmt: skip
def test_an_address_that_is_not_safe_is_not_fetched(connect, tmp_path, address, caplog):
    """Plain http, another scheme, credentials within or nonsense: the pages are read instead."""
    tenant = Tenant(address=address)
    assert extracted(connect(tenant), tmp_path)[1] == [ROW]
    assert tenant.storage.asked == []
    assert "page by page" in caplog.text


def test_an_outside_tenant_cannot_point_at_this_machine():
    """Only a sandbox on loopback may name an address on loopback."""
    client = IruClient(IruSettings("https://acme.api.example", TOKEN))
    for address in ("http://127.0.0.1:8080/admin", "https://localhost/x", "https://[::1]/x"):
        with pytest.raises(ExportUnusable):
            export_module._checked(client, address)


def test_an_expired_address_is_asked_for_anew_once(connect, tmp_path):
    """The export is still there when its address has expired; a fresh one is fetched."""
    tenant = Tenant(expired=1)
    client = connect(tenant)
    assert extracted(client, tmp_path)[1] == [ROW]
    assert (len(tenant.storage.asked), client.api.paths("POST")) == (2, ["/api/v1/prism/export"])


def test_the_state_is_asked_for_until_the_file_is_there(connect, tmp_path):
    """Unknown words for "not yet" are waited through, with growing pauses."""
    states = [{"status": word} for word in ("pending", "running", "", None, 5, "success")]
    tenant = Tenant(states=states)
    assert extracted(connect(tenant), tmp_path)[1] == [ROW]
    assert tenant.waits == sorted(tenant.waits)
    assert len(tenant.waits) == 5


_USELESS = {
    "pending for ever": {"states": [{"status": "pending"}]},
    "failed": {"states": [{"status": "failed"}]},
    "says why it failed": {"states": [{"status": "pending", "error_msg": "out of memory"}]},
    "expired twice": {"expired": 2},
    "storage down": {"file": Reply(status=503)},
    "file gone": {"file": Reply(status=404)},
    "file cut": {"file": Reply(as_csv([ROW]), broken="cut")},
    "forbidden": {"post": Reply({}, 403)},
    "not offered": {"post": Reply({}, 404)},
    "refused": {"post": Reply(["no"], 400)},
    "no id": {"post": Reply({"status": "pending"})},
    "hostile id": {"post": Reply({"id": "../devices"})},
    "another shape": {"post": Reply([1])},
    "another header": {"file": Reply(as_csv([{"Device ID": "d1"}]))},
    "a column less": {"file": Reply(as_csv([ROW], ["device_id", "name", "version"]))},
    "empty": {"file": Reply(b"")},
    "not UTF-8": {"file": Reply(as_csv([ROW]) + b"\xff\xfe,,,,,\r\n")},
    "a short row": {"file": Reply(as_csv([ROW]) + b"x,y\r\n")},
    "an open quote": {"file": Reply(as_csv([ROW]) + b'"x,y\r\n')},
    "a page": {"file": Reply(b"<html>")},
}


@pytest.mark.parametrize("case", _USELESS)
def test_where_an_export_is_of_no_use_the_pages_are_read(connect, tmp_path, case, caplog):
    """A failed, pending, refused or broken export costs a warning, never a row and never the run."""
    found, rows = extracted(connect(Tenant(**_USELESS[case])), tmp_path)
    assert (found.complete, rows) == (True, [ROW])
    assert "page by page" in caplog.text


def test_waiting_for_an_export_is_bounded(connect, tmp_path):
    """An export that stays pending is given up after a quarter of an hour."""
    tenant = Tenant(states=[{"status": "pending"}])
    extracted(connect(tenant), tmp_path)
    assert 600 < sum(tenant.waits) <= export_module.LONGEST_WAIT_S


def test_an_export_may_lack_what_nobody_reads(connect, tmp_path):
    """Only the columns that the mapping reads have to be there; a tenant's other keys need not."""
    tenant = Tenant(file=Reply(as_csv([ROW], ["device_id", "name", "path", "version"])))
    _, rows = extracted(connect(tenant), tmp_path, fields=["device_id", "app_identity", "version"])
    assert "app_clip" not in rows[0]


def test_an_export_larger_than_the_bound_is_not_kept(connect, tmp_path, monkeypatch):
    """A file that is too large, or that unpacks to too much, is given up and the pages are read."""
    monkeypatch.setattr(export_module, "MAX_FILE_BYTES", 10_000)
    bomb = Reply(gzip.compress(b"x" * 10_000_000), headers={"Content-Encoding": "gzip"})
    assert extracted(connect(Tenant(file=bomb)), tmp_path)[1] == [ROW]


def test_a_full_disk_is_told_as_such(connect, tmp_path, monkeypatch):
    """Where the file cannot be kept, the message says so; it is neither Iru's fault nor the connection's."""

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module.tempfile, "TemporaryFile", Full)
    with pytest.raises(StorageFailed, match="No space left"):
        extracted(connect(Tenant()), tmp_path)


@pytest.mark.parametrize("case", ["expired twice", "storage down", "file gone", "file cut", "a page", "fine"])
def test_the_signed_address_is_never_shown(connect, tmp_path, case, caplog):
    """With logging at its most verbose, neither the address nor the token is in a log, an error or a file."""
    tenant = Tenant(**_USELESS.get(case, {}))
    client = connect(tenant)
    with caplog.at_level(logging.DEBUG):
        extracted(client, tmp_path)
        shown = ""
        try:
            list(iter_export(client, "apps"))
        except PipelineError as error:
            shown = repr(error)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    kept += b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz"))
    for secret in ("SECRETSIGNATURE", "export.csv", "SECRET99"):
        assert secret not in caplog.text + shown + repr(client.settings)
        assert secret.encode() not in kept


_CELLS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))


@given(st.lists(st.fixed_dictionaries({"device_id": _CELLS, "name": _CELLS, "version": _CELLS}), max_size=20))
def test_any_text_survives_the_export(rows):
    """Quotes, line breaks, control characters and every script come back as they went."""
    file = io.BytesIO(as_csv(rows, ["device_id", "name", "version"]))
    read = [row for page in iter_csv(file, required=[]) for row in page]
    assert read == rows


@given(st.binary(max_size=400))
def test_any_bytes_as_a_file_are_rows_or_no_use(content):
    """A file that is no export never breaks the reader."""
    for head in (b"", b"device_id,app_clip,bundle_size\r\n"):
        try:
            assert all(
                isinstance(row, dict) for page in iter_csv(io.BytesIO(head + content), required=[]) for row in page
            )
        except ExportUnusable:
            continue


def test_a_line_without_an_end_is_not_read_into_memory(monkeypatch):
    """A file that is one endless line is given up at a bound."""
    monkeypatch.setattr("include.iru.csv_rows.MAX_LINE_CHARS", 1000)
    with pytest.raises(ExportUnusable, match="more than 1000 characters"):
        list(iter_csv(io.BytesIO(b"device_id\r\n" + b"x" * 5000), required=[]))
