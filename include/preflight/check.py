"""All checks, each on its own: what breaks one is that one's finding."""

import logging
from collections.abc import Callable, Iterable, Iterator

from include.errors import PipelineError
from include.preflight.account_checks import (
    check_grant,
    check_limits,
    check_rights,
    check_roles,
    check_sam_pro,
    check_time_zone,
)
from include.preflight.feed_checks import check_choice, check_staging
from include.preflight.finding import Finding, cannot_tell
from include.preflight.iru_checks import check_permissions, check_quota, check_region, check_sign_in
from include.preflight.subject import Subject
from include.preflight.user_checks import check_users

log = logging.getLogger(__name__)

Check = Callable[[Subject], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    check_sign_in, check_region, check_permissions, check_quota,
    check_grant, check_roles, check_rights, check_time_zone, check_sam_pro, check_limits,
    check_staging, check_choice, check_users,
)  # fmt: skip


def check_all(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return every check's findings, in their order; nothing is written to either service."""
    return [finding for check in checks for finding in _guarded(check, subject)]


def _guarded(check: Check, subject: Subject) -> Iterator[Finding]:
    name = check.__name__.removeprefix("check_")
    question = (check.__doc__ or name).strip().splitlines()[0]
    try:
        yield from check(subject)
    except PipelineError as error:
        yield cannot_tell(name, question, str(error), "Mend what the message names, then check again.")
    except Exception as error:
        log.exception("The check %s has a defect.", name)
        yield cannot_tell(name, question, f"The check itself failed ({type(error).__name__}).", "Report this defect.")
