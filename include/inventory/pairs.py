"""Several pairs of tenant and instance in one Airflow: the setting that lists them.

``IRU_SERVICENOW_PAIRS`` is a JSON object: by name of the pair, the connections and whatever else it has for itself, as
in ``{"emea": {}, "us": {"iru": "iru_us_prod", "devices_schedule": "none"}}``. Without it there is one pair, without a
name.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from include.errors import SetupWrong

PAIRS = "IRU_SERVICENOW_PAIRS"
CONNECTIONS = ("iru", "servicenow")

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")  # "__" parts a DAG's name from its pair's
_MAX_NAME = 40

Entry = dict[str, str]


def read_pairs(text: str) -> dict[str, Any]:
    """Return what the setting says of each pair, unchecked; SetupWrong where the names cannot be told."""
    if not text.strip():
        return {}
    try:
        pairs = json.loads(text, object_pairs_hook=_without_repetition)
    except ValueError:
        raise SetupWrong(f'{PAIRS} is not valid JSON. Write it as {{"name of the pair": {{}}, …}}.') from None
    if not isinstance(pairs, dict) or not pairs:
        raise SetupWrong(
            f'{PAIRS} must be a JSON object that names at least one pair: {{"name of the pair": {{}}, …}}.'
        )
    wrong = [name for name in pairs if not _NAME.fullmatch(name) or len(name) > _MAX_NAME]
    if wrong:
        raise SetupWrong(
            f"{PAIRS} names {', '.join(map(repr, wrong))}: a pair's name has lower-case letters and digits, "
            f"single _ or - between them, and at most {_MAX_NAME} characters."
        )
    return pairs


def read_pair(pairs: Mapping[str, Any], name: str, known: Mapping[str, str]) -> Entry:
    """Return what one pair has for itself, by name of the setting in capitals, its two connections among them.

    ``known`` are the settings that a pair may have for itself: their names in small letters, and what they are called.
    Raises SetupWrong that names the pair and what is wrong with it.
    """
    if name not in pairs:
        raise SetupWrong(f"{PAIRS} has no pair {name!r}. It has: {', '.join(pairs)}.")
    entry = pairs[name]
    if not isinstance(entry, dict):
        raise SetupWrong(f"{PAIRS}: the pair {name!r} must be a JSON object, such as {{}}.")
    allowed = {each: each.upper() for each in CONNECTIONS} | dict(known)
    unknown = sorted(set(entry) - set(allowed))
    if unknown:
        raise SetupWrong(
            f"{PAIRS}: the pair {name!r} has unknown settings: {', '.join(unknown)}. Known are: {', '.join(allowed)}."
        )
    values = {allowed[key]: _text(name, key, value) for key, value in entry.items()}
    values = {each.upper(): connection for each, connection in connections_of(name, entry).items()} | values
    _refuse_shared(pairs, name)
    return values


def connections_of(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connections of a pair; by default they are called ``iru_<name>`` and ``servicenow_<name>``."""
    return {each: entry.get(each) or f"{each}_{name}" for each in CONNECTIONS}


def _refuse_shared(pairs: Mapping[str, Any], name: str) -> None:
    """Refuse a pair with both connections of another: the two would send everything twice."""
    ours = connections_of(name, pairs[name])
    twins = [
        other
        for other, entry in pairs.items()
        if other != name and isinstance(entry, dict) and connections_of(other, entry) == ours
    ]
    if twins:
        raise SetupWrong(f"{PAIRS}: the pairs {', '.join(sorted([name, *twins]))} have the same two connections.")


def _text(pair: str, key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise SetupWrong(f"{PAIRS}: {key!r} of the pair {pair!r} must be a text or a whole number.")
    return str(value)


def _without_repetition(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in items}) < len(items):
        raise SetupWrong(f"{PAIRS} gives one name twice in one object; correct it.")
    return dict(items)
