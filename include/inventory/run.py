"""What all stages of one run share, and the services that planning may ask."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from include.inventory.guards import GuardLimits
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed, FeedMapping, SourceName
from include.inventory.orders import PARK, RELEASE, RESEND, Ordered
from include.inventory.params import RunParams
from include.inventory.parking import ParkingRule
from include.inventory.run_folder import RunFolder
from include.inventory.settings import MAX_ATTEMPTS
from include.iru.client import IruClient
from include.iru.quota import ExtractChoice
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.storage import StoragePath, read_json, write_json
from include.texts import is_among, values_of
from include.web.transport import RequestCount


@dataclass(frozen=True, slots=True)
class Rules:
    """What the installation's settings say about every run."""

    limits: GuardLimits = field(default_factory=GuardLimits)
    max_attempts: int = MAX_ATTEMPTS
    apps_extract: ExtractChoice = "auto"
    partitions: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What all stages of one run share; ``pair_name`` says whose settings it runs with.

    ``changed`` are the ids of the devices that a run of changed devices is about; None: the whole fleet.
    """

    source: SourceName
    params: RunParams
    mapping: FeedMapping
    folder: RunFolder
    rules: Rules = field(default_factory=Rules)
    pair_name: str = ""
    changed: tuple[str, ...] | None = None

    @property
    def carries_everything(self) -> bool:
        """Say whether a device or app that the source does not list may be gone, not only out of this run's scope."""
        return self.changed is None

    @property
    def is_whole(self) -> bool:
        """Say whether the run is about every device that the pipeline carries."""
        return self.carries_everything and self.params.covers_fleet

    @property
    def partitions(self) -> int:
        """Among how many tasks the work of a run is divided; few changed devices are not."""
        return self.rules.partitions if self.carries_everything else 1

    @property
    def feeds(self) -> list[Feed]:
        """The feeds of this run, in the order in which they are loaded."""
        return [feed for feed in self.mapping.of_source(self.source) if feed.name in self.params.feeds]

    @property
    def stops(self) -> bool:
        """Say whether guards stop the run; one that only plans shows what they found instead."""
        return self.params.mode != "plan"

    def parking(self, ordered: Ordered) -> ParkingRule:
        """Return when a row that was refused again and again, or parked by hand, is not sent."""
        to_send, by_hand = ordered.keys(RELEASE, RESEND), ordered.keys(PARK)
        return ParkingRule(self.rules.max_attempts, self.params.release_parked, to_send, by_hand)

    def partner_of(self, feed: Feed) -> Feed | None:
        """Return the feed whose rows a feed's rows refer to, where this run sends both."""
        return next((each for each in self.feeds if each.name == feed.partner), None)

    def sent_keys(self, feed: str) -> set[str]:
        """Return the keys of the rows that this run plans to send of one of its feeds; of other feeds none."""
        planned = feed in [each.name for each in self.feeds]
        frames = self.folder.to_send(feed).frames(["_key"]) if planned else ()
        return {key for frame in frames for key in values_of(frame["_key"])}

    def listed_of(self, feed: str, keys: Collection[str]) -> set[str]:
        """Return those of some keys that the source lists; unlike with ``seen_keys``, no others are held."""
        parts = (self.folder.rows(feed), self.folder.also_seen(feed))
        frames = (frame for each in parts for frame in each.frames(["_key"]))
        return {key for frame in frames for key in values_of(frame.loc[is_among(frame["_key"], keys), "_key"])}

    def seen_keys(self, feed: str) -> set[str]:
        """Return the keys of all rows that the source lists, filtered and rejected ones included."""
        parts = (self.folder.rows(feed), self.folder.also_seen(feed))
        return {key for each in parts for frame in each.frames(["_key"]) for key in values_of(frame["_key"])}

    @staticmethod
    def pair_of(root: StoragePath) -> str:
        """Return the name of the pair that the run of a folder works for."""
        return _pair_in(read_json(RunFolder(root).about))

    def rows_to_send(self, feed: str) -> int:
        """Return how many rows of a feed the plan sends."""
        return int(self.folder.told_by(f"plan-{feed}")["rows_to_send"])

    @classmethod
    def read(cls, root: StoragePath, mapping: FeedMapping, rules: Rules) -> "Run":
        """Return the run whose folder this is, as its first task noted it."""
        folder = RunFolder(root)
        told = read_json(folder.about)
        params = RunParams.from_json(told["params"])
        changed = tuple(read_json(folder.scope)) if folder.scope.exists() else None
        return cls(told["source"], params, mapping, folder, rules, _pair_in(told), changed)

    @property
    def triggered(self) -> bool:
        """Say whether the run was asked for because devices changed, as its first task noted it."""
        return bool(read_json(self.folder.about).get("triggered"))

    def note(self, *, dag_id: str, run_id: str, pair: tuple[str, str], triggered: bool = False) -> None:
        """Keep what the run was asked to do, and why, for its later tasks and for the runs after it."""
        asked = {"source": self.source, "params": self.params.to_json(), "pair_name": self.pair_name}
        told: dict[str, Any] = {"pair": list(pair), "dag_id": dag_id, "run_id": run_id, "triggered": triggered}
        told |= {"began_at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_json(self.folder.about, asked | told)


def _pair_in(about: Mapping[str, Any]) -> str:
    return str(about.get("pair_name", ""))  # none in folders of the first release


class Services:
    """What planning may ask: the ledger, and both APIs, connected only when something is asked of them.

    ``loads`` says how runs load, their feeds' own tables and keys aside, to ask about what earlier ones sent.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        iru: Callable[[], IruClient],
        servicenow: Callable[[], ServiceNowClient],
        loads: LoadSpec | None = None,
    ) -> None:
        self.ledger = ledger
        self.loads = loads or LoadSpec(table="any", key_columns=("any",))
        self._connect_iru = iru
        self._connect_servicenow = servicenow

    @cached_property
    def iru(self) -> IruClient:
        """The tenant's client."""
        return self._connect_iru()

    @cached_property
    def servicenow(self) -> ServiceNowClient:
        """The instance's client."""
        return self._connect_servicenow()

    def costs(self) -> dict[str, dict[str, float]]:
        """Return what each service was asked, without connecting to one that was not."""
        return costs_of({name: self.__dict__[name].requests for name in ("iru", "servicenow") if name in self.__dict__})


def costs_of(counts: dict[str, RequestCount]) -> dict[str, dict[str, float]]:
    """Return requests, retries and the seconds waited before these, by service, as stages note them.

    Where a rate limit rule counted some of the requests, how many and what it allows an hour is told too.
    """
    ruled = {name: count for name, count in counts.items() if count.ruled}
    rules: dict[str, dict[str, float]] = {
        "ruled": {name: count.ruled for name, count in ruled.items()},
        "rule_limit": {name: count.rule_limit for name, count in ruled.items()},
    }
    return (rules if ruled else {}) | {
        "requests": {name: count.total for name, count in counts.items()},
        "retries": {name: count.retries for name, count in counts.items()},
        "waited_s": {name: round(count.waited_s, 1) for name, count in counts.items()},
    }
