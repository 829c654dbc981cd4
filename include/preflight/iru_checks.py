"""What the tenant's token may do, and where the tenant is."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from include.errors import PipelineError
from include.iru.audit import newest_event
from include.iru.client import IruClient
from include.iru.judge import NotPermitted
from include.iru.prism import fetch_sample
from include.preflight.finding import Finding, cannot_tell, ok, wrong
from include.preflight.subject import Subject

REGIONS = {".api.kandji.io": "US", ".api.eu.kandji.io": "EU", ".api.iru.com": "US"}
"""Source: Iru Endpoint API, "API URL": US and EU hosts; the new domain's EU host is not published."""

_GRANT = "In Iru, under Access > API tokens, give the token of the connection the permission {}."

_Ask = Callable[[IruClient], Any]


def check_sign_in(subject: Subject) -> Iterator[Finding]:
    """Ask for one device: is the token a token, and is the host a tenant."""
    question = "Does Iru take the token?"
    try:
        subject.iru.get("devices", limit=1)
    except NotPermitted:
        yield ok("iru.token", question, "The token is known; it lacks a permission, see below.")
    except PipelineError as error:
        yield wrong("iru.token", question, str(error), "Mend the Iru connection.", loses_data=True)
    else:
        yield ok("iru.token", question, f"Signed in to {subject.iru.settings.base_url}.")


def check_region(subject: Subject) -> Iterator[Finding]:
    """Name the region that the host belongs to."""
    question, host = "In which region is the tenant?", urlsplit(subject.iru.settings.base_url).hostname or ""
    region = next((name for suffix, name in REGIONS.items() if host.endswith(suffix)), "")
    if region:
        yield ok("iru.region", question, f"{region} ({host}).")
    else:
        yield cannot_tell("iru.region", question, f"{host or 'the host'} is none of Iru's published hosts.")


def check_permissions(subject: Subject) -> Iterator[Finding]:
    """Make each call that the flows make once."""
    for path, ask, why, needed in _CALLS:
        yield _permission(subject.iru, path, ask, why, needed=needed)


def check_quota(subject: Subject) -> Iterator[Finding]:
    """Say what is left of the hour."""
    question, quota = "What is left of Iru's hourly quota?", subject.iru.quota
    if quota is None:
        yield cannot_tell("iru.quota", question, "The tenant's answers do not say.")
    elif quota.remaining * 10 < quota.limit:
        yield wrong("iru.quota", question, f"{quota.remaining} of {quota.limit} requests.", "Find out who uses it up.")
    else:
        yield ok("iru.quota", question, f"{quota.remaining} of {quota.limit} requests.")


def _permission(client: IruClient, path: str, ask: _Ask, why: str, *, needed: bool) -> Finding:
    check, question = f"iru.permission {path}", f"May the token {path}? ({why})"
    try:
        said = ask(client)
    except NotPermitted:
        return wrong(check, question, "Iru refuses it (403).", _GRANT.format(path), loses_data=needed)
    except PipelineError as error:
        return cannot_tell(check, question, str(error), "Mend what the message names, then check again.")
    if said is None:
        return cannot_tell(check, question, "There is no device to ask for.")
    return ok(check, question, "Yes.")


def _one_device(client: IruClient) -> Any:
    rows = client.get("devices", limit=1)
    return client.fetch_device(str(rows[0].get("device_id"))) if rows else None


def _audit(client: IruClient) -> Any:
    return newest_event(client) or "empty"


_CALLS: tuple[tuple[str, _Ask, str, bool], ...] = (
    ("GET /devices", lambda client: client.get("devices", limit=1), "all devices", True),
    ("GET /devices/{id}", _one_device, "changed devices, and the proof that one is gone", True),
    ("GET /prism/device_information", lambda client: fetch_sample(client, "device_information"), "model, size", True),
    ("GET /prism/apps", lambda client: fetch_sample(client, "apps"), "applications", True),
    ("GET /prism/count", lambda client: client.count_prism("apps"), "whether an extract is whole", False),
    ("GET /audit/events", _audit, "changes within half a minute in large fleets", False),
)
