"""Exported files behind signed addresses, as object storage hands them out.

A signed address is a credential of its own, so a second one is an error, and it expires after
48 hours: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from include.sandbox.iru.tenant import Tenant, TenantOf

EXPIRES_S = 172_800
_TIME_FORM = "%Y%m%dT%H%M%SZ"
router = APIRouter()


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="iru-exports-")


def export_folder(database_path: Path | None) -> Path:
    """Return where files are kept: beside the database, or in a folder that goes with the process."""
    if database_path is None:
        return Path(_temporary_folder().name)
    return database_path.with_suffix(".exports")


def signed_address(tenant: Tenant, base_url: str, file: str, *, age_s: int = 0) -> str:
    """Return an address that lets anybody read ``file`` for the 48 hours since it was signed ``age_s`` ago."""
    date = (tenant.clock.now() - timedelta(seconds=age_s)).strftime(_TIME_FORM)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"SANDBOX/{date[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(EXPIRES_S),
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": _signature(tenant, file, date, str(EXPIRES_S)),
    }
    return f"{base_url}{file}?{urlencode(query)}"


@router.get("/visibility-export/{folder}/{name}")
def download(folder: str, name: str, request: Request, tenant: TenantOf) -> Response:
    """Return a file to whoever holds its signed address and shows no other credential."""
    if "authorization" in request.headers:
        return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
    query, file = request.query_params, f"visibility-export/{folder}/{name}"
    date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
    given = query.get("X-Amz-Signature", "")
    if not given:
        return _refusal(403, "AccessDenied", "Access Denied")
    if not hmac.compare_digest(given.encode(), _signature(tenant, file, date, expires).encode()):
        return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match")
    if _expired(tenant, date, expires):
        return _refusal(403, "AccessDenied", "Request has expired")
    path = export_folder(tenant.settings.database_path) / file
    if not path.is_file():
        return _refusal(404, "NoSuchKey", "The specified key does not exist.")
    return FileResponse(path, media_type="text/csv")


def _signature(tenant: Tenant, file: str, date: str, expires: str) -> str:
    return hmac.new(tenant.secret, f"{file}\n{date}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _expired(tenant: Tenant, date: str, expires: str) -> bool:
    signed_at = datetime.strptime(date, _TIME_FORM).replace(tzinfo=UTC)
    return tenant.clock.now() > signed_at + timedelta(seconds=int(expires))


def _refusal(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status_code=status, media_type="application/xml")
