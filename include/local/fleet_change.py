"""Change the sandbox's fleet through its admin API."""

from typing import Any

import requests

CHANGES = {"enroll": 5, "rename": 5, "reassign": 5, "unassign": 3, "install": 40, "update": 200, "remove": 30}
"""How many devices enroll, get another name, user or none; how many apps are installed, updated or removed."""


def change_fleet(iru_url: str) -> str:
    """Change devices and apps, and return what was done in words."""
    with requests.Session() as session:
        session.trust_env = False
        response = session.post(f"{iru_url}/_sandbox/change", json=CHANGES, timeout=120)
    response.raise_for_status()
    done: dict[str, Any] = response.json()
    return ", ".join(f"{_count(value)} {name}" for name, value in done.items() if _count(value))


def _count(value: Any) -> int:
    return value if isinstance(value, int) else len(value)
