"""Read a Prism category by its CSV export: a few requests instead of one for every 300 rows.

The file lies behind a signed address, which is a credential of its own: it is fetched by a session that knows no
token, and is in no message. Source: Iru Endpoint API, "Request category export" and "Get category export".
"""

import tempfile
from collections.abc import Collection, Iterator
from typing import IO, Any
from urllib.parse import urlsplit

from requests.auth import AuthBase
from requests.models import PreparedRequest

from include.errors import AnswerUnusable, RetryLater, SetupWrong, StorageFailed
from include.iru.client import IruClient, is_device_id
from include.iru.csv_rows import ExportUnusable, iter_csv
from include.iru.prism import fetch_sample
from include.web.address import is_loopback
from include.web.transport import CONNECT_TIMEOUT_S, exchange, new_session, pieces

LONGEST_WAIT_S = 900.0
"""How long an export may stay pending before the pages are read instead."""

MAX_FILE_BYTES = 4 * 1024**3
"""The largest export that is read, after decompression: about 5 million rows of Prism's apps."""

DOWNLOAD_TIMEOUT_S = 1800.0

_FIRST_POLL_S, _LONGEST_POLL_S = 1.0, 15.0
_FAILED = {"failed", "failure", "error", "cancelled", "canceled", "expired"}
_LABEL = "GET the file of GET /prism/export/{id}"


class _AddressExpired(Exception):
    """The signed address is no longer taken."""


class _NoAuth(AuthBase):
    """Signs nothing; as ``auth``, so that no entry of a .netrc file is sent along."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Leave the request as it is."""
        return request


def iter_export(client: IruClient, category: str, *, fields: Collection[str] = ()) -> Iterator[list[dict[str, Any]]]:
    """Yield a category's rows in pages of 300, as ``iter_prism`` does, from one export.

    ``fields`` are those that somebody will read; empty means all. Raises ExportUnusable where the tenant does not
    offer a whole export of them in time, before the first page wherever that can be told.
    """
    try:
        sample = fetch_sample(client, category)
        wanted = set(sample) & set(fields) if fields else set(sample)
        export_id = _request_export(client, category)
        with tempfile.TemporaryFile() as file:
            _fetch_file(client, export_id, file)
            file.seek(0)
            yield from iter_csv(file, required=wanted, wanted=fields)
    except ExportUnusable:
        raise
    except (SetupWrong, AnswerUnusable) as error:  # no permission for exports, no such call, another shape
        raise ExportUnusable(str(error)) from None
    except OSError as error:
        raise StorageFailed(f"The export cannot be kept in the temporary folder: {error.strerror}.") from None


def _request_export(client: IruClient, category: str) -> str:
    wanted = {"category": category, "blueprint_ids": [], "device_families": [], "filter": {}, "sort_by": ""}
    return str(_export(client.post("prism/export", wanted))["id"])


def _fetch_file(client: IruClient, export_id: str, file: IO[bytes]) -> None:
    """Wait for the file and fetch it; a signed address that has expired is asked for anew, once."""
    try:
        _download(client, _wait_for_address(client, export_id), file)
    except _AddressExpired:
        try:
            _download(client, _wait_for_address(client, export_id), file)
        except _AddressExpired:
            raise ExportUnusable(f"{_LABEL}: a fresh signed address was refused as well (HTTP 403).") from None


def _wait_for_address(client: IruClient, export_id: str) -> str:
    waited_s, poll_s = 0.0, _FIRST_POLL_S
    while True:
        export = _export(client.get(f"prism/export/{export_id}"))
        status = str(export.get("status") or "").lower()
        if status == "success" and export.get("signed_url"):
            return _checked(client, export["signed_url"])
        if status in _FAILED or export.get("error_msg"):
            raise ExportUnusable("GET /prism/export/{id}: Iru says that the export has failed.")
        if waited_s + poll_s > LONGEST_WAIT_S:
            raise ExportUnusable(f"GET /prism/export/{{id}}: the export is not ready after {waited_s:.0f} s.")
        client.retry.sleep(poll_s)
        waited_s, poll_s = waited_s + poll_s, min(_LONGEST_POLL_S, poll_s * 1.5)


def _export(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not is_device_id(body.get("id")):
        raise ExportUnusable("Iru answered no export with an id.")
    return body


def _checked(client: IruClient, address: Any) -> str:
    """Return a signed address that may be fetched; plain http only between loopback and loopback."""
    try:
        parts = urlsplit(str(address))
        usable = bool(parts.hostname) and not parts.username and not parts.password and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not isinstance(address, str) or not usable:
        raise ExportUnusable("GET /prism/export/{id}: the signed address is malformed.")
    on_loopback = is_loopback(address)
    if parts.scheme == "https" and not on_loopback:
        return address
    if parts.scheme in ("http", "https") and on_loopback and is_loopback(client.settings.base_url):
        return address
    raise ExportUnusable("GET /prism/export/{id}: the signed address is not https, or points at this machine.")


def _download(client: IruClient, address: str, file: IO[bytes]) -> None:
    try:
        client.retry.call(lambda: _download_once(client, address, file), repeat_unsure=True, count=client.requests)
    except (SetupWrong, RetryLater) as error:  # of the storage, not of Iru: its certificate, its being down
        raise ExportUnusable(str(error)) from None


def _download_once(client: IruClient, address: str, file: IO[bytes]) -> None:
    settings = client.settings
    file.seek(0)
    file.truncate()
    with (
        new_session(verify=settings.verify, proxies=settings.proxies) as session,
        exchange(
            session,
            "GET",
            address,
            label=_LABEL,
            count=client.requests,
            auth=_NoAuth(),
            timeout=(CONNECT_TIMEOUT_S, settings.read_timeout_s),
            total_timeout_s=DOWNLOAD_TIMEOUT_S,
        ) as response,
    ):
        _judge(response.status_code)
        for piece in pieces(response, label=_LABEL, max_bytes=MAX_FILE_BYTES):
            _write(file, piece)


def _judge(status: int) -> None:
    if status == 200:
        return
    if status == 403:
        raise _AddressExpired
    if status == 429 or status >= 500:
        raise RetryLater(f"{_LABEL}: the storage answered HTTP {status}.")
    raise ExportUnusable(f"{_LABEL}: the storage answered HTTP {status}.")


def _write(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise StorageFailed(f"The export cannot be kept in the temporary folder: {error.strerror}.") from None
