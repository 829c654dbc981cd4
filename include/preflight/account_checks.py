"""Whether ServiceNow lets the service account in, and what it may see and do."""

from collections.abc import Iterator

from include.errors import PipelineError
from include.inventory.usage import INSTALLS
from include.preflight.config import read_config
from include.preflight.finding import Finding, cannot_tell, ok, wrong
from include.preflight.subject import Subject
from include.servicenow.client import ServiceNowClient
from include.servicenow.table_api import Sight, look_at
from include.servicenow.values import to_count

UTC_ZONES = frozenset({"GMT", "UTC", "Etc/UTC", "Etc/GMT", "Zulu", "UCT", "Etc/UCT", "Universal"})

MOST_RULES = 10
"""Rate-limit rules that are named."""

_DOCUMENTED = ("import_transformer", "cmdb_read", "rest_api_explorer")


def check_grant(subject: Subject) -> Iterator[Finding]:
    """Sign in, and renew the token as a long run does."""
    client, grant = subject.servicenow, subject.servicenow.settings.grant_type
    question = "Does ServiceNow give a token?"
    try:
        client.check_sign_in()
    except PipelineError as error:
        yield wrong("servicenow.oauth", question, str(error), "Mend the ServiceNow connection.", loses_data=True)
        return
    yield ok("servicenow.oauth", question, f"Yes, for the grant type {grant}.")
    question = "Can the token be renewed?"
    try:
        renewed = client.check_refresh()
    except PipelineError as error:
        yield wrong("servicenow.refresh", question, str(error), "Check the OAuth client's refresh token life span.")
        return
    yield ok("servicenow.refresh", question, "By refresh token." if renewed else f"By asking again ({grant}).")


def check_rights(subject: Subject) -> Iterator[Finding]:
    """Read one row of each kind of table that a run reads."""
    for table, role, why, needed in (
        ("sys_import_set", "import_transformer", "every row's verdict is read there", True),
        ("cmdb_ci_computer", "cmdb_read", "apps wait for their computers", False),
        ("sys_user", "", "whether assigned users exist", False),
    ):
        yield _may_read(subject.servicenow, table, role, why, needed=needed)


def check_roles(subject: Subject) -> Iterator[Finding]:
    """Look the documented roles up."""
    question, login = "Has the account the documented roles?", subject.servicenow.settings.username
    check, look = "servicenow.roles", "See sys_user_has_role; the next lines show what the account may do."
    if not login or "^" in login:
        yield cannot_tell(check, question, "The grant names no user.", look)
        return
    query = f"user.user_name={login}"
    rows = read_config(subject.servicenow, "sys_user_has_role", query=query, fields=("role.name", "user.user_name"))
    held = {row.get("role.name", "") for row in rows or () if row.get("user.user_name", login) == login} - {""}
    if not held:
        yield cannot_tell(check, question, "sys_user_has_role may not be read.", look)
        return
    missing = [role for role in _DOCUMENTED if role not in held and "admin" not in held]
    if missing:
        yield wrong(check, question, f"Missing: {', '.join(missing)}.", "Give the account these roles.",
                    loses_data="import_transformer" in missing)  # fmt: skip
    else:
        yield ok(check, question, ", ".join(sorted(held)))


def check_time_zone(subject: Subject) -> Iterator[Finding]:
    """Times are sent in UTC, and ServiceNow reads them in the account's time zone."""
    check, question = "servicenow.time_zone", "Is the account's time zone UTC?"
    login = subject.servicenow.settings.username
    fields = ("user_name", "time_zone")
    rows = read_config(subject.servicenow, "sys_user", query=f"user_name={login}", fields=fields) if login else None
    zones = [row.get("time_zone", "") for row in rows or () if row.get("user_name") == login]
    sends_times = any(column.type == "timestamp" for feed in subject.feeds for column in feed.columns)
    if not zones or not zones[0]:
        yield cannot_tell(check, question, "The account's own time zone is not set or not shown.",
                          "Set the service account's time zone to GMT.")  # fmt: skip
    elif zones[0] in UTC_ZONES:
        yield ok(check, question, zones[0])
    else:
        yield wrong(check, question, f"It is {zones[0]}: last-used times would be shifted.",
                    "Set the service account's time zone to GMT.", loses_data=sends_times)  # fmt: skip


def check_sam_pro(subject: Subject) -> Iterator[Finding]:
    """Applications need Software Asset Management Professional."""
    check, question = "servicenow.sam_pro", "Is SAM Pro installed (for applications and usage)?"
    sight = look_at(subject.servicenow, INSTALLS)
    if sight is Sight.MISSING:
        to_do = "Nothing, if only devices are wanted: iru_apps then skips. Else install SAM Pro."
        yield wrong(check, question, f"No: {INSTALLS} is no table of this instance.", to_do)
    elif sight is Sight.DENIED:
        yield cannot_tell(check, question, f"{INSTALLS} may not be read.", "Give the account cmdb_read.")
    else:
        yield ok(check, question, "Yes.")


def check_limits(subject: Subject) -> Iterator[Finding]:
    """Name the rate-limit rules and the payload limit."""
    check, question = "servicenow.rate_limits", "Which rate-limit rules are there?"
    rules = read_config(
        subject.servicenow, "sys_rate_limit_rules", query="active=true", fields=("name", "requests_per_hour")
    )
    if rules is None:
        yield cannot_tell(check, question, "sys_rate_limit_rules may not be read.", "Ask an administrator.")
    else:
        told = ", ".join(f"{row.get('name')}: {row.get('requests_per_hour')} an hour" for row in rules[:MOST_RULES])
        yield ok(check, question, told or "None is shown.")
    check, question = "servicenow.payload", "How large may a request be?"
    name = "glide.rest.max_content_length"
    rows = read_config(subject.servicenow, "sys_properties", query=f"name={name}", fields=("name", "value"))
    size_mb = next((to_count(row.get("value", "")) for row in rows or () if row.get("name") == name), 0)
    if not size_mb:
        yield cannot_tell(check, question, f"The property {name} is not shown; 10 MB by default.")
    elif size_mb < 10:
        yield wrong(check, question, f"{size_mb} MB, less than the default of 10.",
                    f"Raise {name}, or expect chunks that are refused and sent again in halves.")  # fmt: skip
    else:
        yield ok(check, question, f"{size_mb} MB.")


def _may_read(client: ServiceNowClient, table: str, role: str, why: str, *, needed: bool) -> Finding:
    check, question = f"servicenow.read {table}", f"May the account read {table}? ({why})"
    sight = look_at(client, table)
    if sight is not Sight.READABLE:
        seen = "ServiceNow refuses it (403)." if sight is Sight.DENIED else "There is no such table."
        to_do = f"Give the account the role {role}." if role else "Let the account read the table."
        return wrong(check, question, seen, to_do, loses_data=needed)
    return ok(check, question, "Yes.")
