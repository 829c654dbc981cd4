"""Whether ServiceNow knows the people to whom devices are assigned."""

from collections.abc import Iterator
from hashlib import blake2b

from include.preflight.finding import Finding, cannot_tell, ok, wrong
from include.preflight.subject import Subject
from include.servicenow.judge import AccessDenied
from include.servicenow.lookup import find_existing

SAMPLE = 5


def check_users(subject: Subject) -> Iterator[Finding]:
    """Look every assigned user up, for each column of the mapping that refers to a record by its value."""
    for feed in subject.feeds:
        for column in feed.columns:
            rows = (subject.fleet or {}).get(feed.name)
            if not column.known_in or (feed.source == "apps"):
                continue
            check, question = f"{feed.name}.known {column.name}", f"Does {column.known_in} know every {column.name}?"
            if rows is None:
                yield cannot_tell(check, question, "The fleet was not read.")
                continue
            values = sorted(set(rows[column.name].dropna()))
            yield _known(subject, check, question, column.known_in, values)


def _known(subject: Subject, check: str, question: str, known_in: str, values: list[str]) -> Finding:
    table, _, field = known_in.partition(".")
    try:
        existing = find_existing(subject.servicenow, table, field, values)
    except AccessDenied:
        return cannot_tell(check, question, f"{table} may not be read.", "Let the account read it.")
    unknown = [value for value in values if value.casefold() not in existing]
    if not unknown:
        return ok(check, question, f"Yes, all {len(values)}.")
    shown = unknown[:SAMPLE] if subject.show_users else [digest(value) for value in unknown[:SAMPLE]]
    seen = f"{len(unknown)} of {len(values)} are not there, such as {', '.join(shown)}."
    return wrong(check, question, seen, "Add them; until then their devices arrive without a user.")


def digest(value: str) -> str:
    """Return 12 hex digits that stand for a person's address, in lower case; the same in every run."""
    return blake2b(value.casefold().encode(), digest_size=6).hexdigest()
