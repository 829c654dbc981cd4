"""The sandbox that the contenders of part "load" meet: a process of its own, fresh for each of them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from bench.load_rows import COMPUTER_TABLE, COMPUTERS_IN, TARGET

ROUND_TRIP_S, FIXED_S, SLOTS = 0.040, 0.020, 4
PART_S = 0.005
"""What a request inside a batch costs, an assumption that is kind to batches: a quarter of what one alone costs."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Server time per row, and how often each contender runs."""

    name: str
    row_s: float
    repeats: int

    @property
    def switches(self) -> dict[str, Any]:
        """The sandbox's switches."""
        return {
            "request_round_trip_s": ROUND_TRIP_S, "request_fixed_s": FIXED_S, "request_row_s": self.row_s,
            "request_part_s": PART_S, "semaphores": True, "semaphore_slots": SLOTS, "session_serial": True,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """Where a fresh instance is, and the account that it accepts."""

    url: str
    client_id: str
    client_secret: str
    username: str
    password: str
    ca: str = ""

    @property
    def basic(self) -> tuple[str, str]:
        """The account, for basic authentication."""
        return self.username, self.password

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the admin API."""
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=60, verify=self.ca or True)
        answer.raise_for_status()
        return answer.json()

    def computers(self) -> dict[str, str]:
        """Return the sys_id of each computer by its serial number."""
        rows = self.admin("GET", f"tables/{COMPUTER_TABLE}")["result"]
        return {row["serial_number"]: row["sys_id"] for row in rows}

    def installs(self) -> list[dict[str, str]]:
        """Return every record of the target table."""
        found: list[dict[str, str]] = self.admin("GET", f"tables/{TARGET}")["result"]
        return found


class Stage:
    """Starts one server process and gives a fresh instance to each contender."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.load_server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip

    def fresh(
        self,
        profile: Profile,
        computers: Sequence[Mapping[str, str]],
        *,
        tls: bool = False,
        faults: Iterable[Mapping[str, Any]] = (),
    ) -> Access:
        """Return a fresh instance that knows the computers and takes the profile's time from now on."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"tls": tls}) + "\n")
        self._child.stdin.flush()
        ready = json.loads(self._child.stdout.readline())
        access = Access(**ready["servicenow"], ca=ready.get("ca", ""))
        _enroll(access, computers)
        access.admin("PATCH", "switches", profile.switches)
        for fault in faults:
            access.admin("POST", "faults", fault)
        access.admin("DELETE", "counters")
        return access

    def close(self) -> None:
        """End the process."""
        self._child.communicate()


@contextmanager
def stage() -> Iterator[Stage]:
    """Give a stage that is closed at the end."""
    opened = Stage()
    try:
        yield opened
    finally:
        opened.close()


def _enroll(access: Access, computers: Sequence[Mapping[str, str]]) -> None:
    """Load the computers that the rows refer to, before anything takes its modelled time."""
    url, verify = f"{access.url}/api/now", access.ca or True
    answer = requests.post(
        f"{url}/import/{COMPUTERS_IN}/insertMultiple", json={"records": list(computers)},
        auth=access.basic, timeout=60, verify=verify,
    )  # fmt: skip
    answer.raise_for_status()
    while len(access.computers()) < len(computers):
        time.sleep(0.02)


def told(profile: Profile) -> dict[str, Any]:
    """Return the parameters of a profile for the results."""
    return asdict(profile) | {"switches": profile.switches}
