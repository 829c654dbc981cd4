"""Decide what to do about rows that ServiceNow holds and that Iru no longer lists."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from include.errors import SetupWrong
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.params import MissingPolicy
from include.iru.client import IruClient

log = logging.getLogger(__name__)

GONE_AFTER = 2
"""Whole runs in a row that have to miss a device before it may count as gone."""

_COMPUTER, _MDM = "computer", "mdm"


@dataclass(frozen=True, slots=True)
class Missing:
    """Keys to send once more with the feed's removed values, and keys that are only reported."""

    to_send: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()


def find_missing(
    feed: Feed,
    ledger: Ledger,
    seen: Callable[[], set[str]],
    *,
    policy: MissingPolicy,
    run: str,
    iru: Callable[[], IruClient],
) -> Missing:
    """Return what became of devices whose keys are not ``seen``, that is listed by a complete extract of the fleet.

    A device follows the operator's policy, and only after ``GONE_AFTER`` runs in a row missed it and Iru answered 404
    for the device itself. ``run`` names the run that misses it; one
    without a name looks and does not count. Nothing is ever deleted in ServiceNow.
    """
    if policy == "ignore" or feed.name != _COMPUTER:
        return Missing()
    if policy == "retire" and not feed.removed_values:
        raise SetupWrong(
            'missing_devices is "retire", but the mapping does not say how a computer is retired. Set '
            f'feeds.{feed.name}.removed = {{ values = {{ install_status = "7" }} }} and the column in your mapping.'
        )
    missed = ledger.miss(feed.name, sorted(ledger.active_keys(feed.name) - seen()), run=run)
    often = [key for key, runs in missed.items() if runs >= GONE_AFTER]
    if len(often) < len(missed):
        log.info("%d devices are missed for the first time; the next whole run decides.", len(missed) - len(often))
    gone = _confirmed_gone(often, ledger, iru)
    log.info("%d devices are no longer in Iru (policy %s).", len(gone), policy)
    return Missing(to_send=gone) if policy == "retire" else Missing(reported=gone)


def _confirmed_gone(serials: list[str], ledger: Ledger, iru: Callable[[], IruClient]) -> tuple[str, ...]:
    """Keep the serial numbers for all of whose devices Iru answers 404; one whose device id is not known stays."""
    if not serials:
        return ()
    device_ids = _device_ids(ledger.read(_MDM))
    client = iru()
    known = [serial for serial in serials if serial in device_ids]
    return tuple(serial for serial in known if not any(map(client.device_exists, sorted(device_ids[serial]))))


def _device_ids(known: pd.DataFrame) -> dict[str, set[str]]:
    """Return the device ids of each serial number: a device that was enrolled anew had others before."""
    found: dict[str, set[str]] = {}
    for payload in map(json.loads, known["payload"].dropna()):
        if "serial_number" in payload and "device_id" in payload:  # an operator may have mapped them elsewhere
            found.setdefault(payload["serial_number"].casefold(), set()).add(payload["device_id"])
    return found
