"""People order single rows to be released, parked or sent again, and the next plan goes by it."""

import pytest
import sqlalchemy as sa
from between import between, inserts
from factories import PAIR, app, device, ledger
from test_flow import Flow, Taker, Tenant
from test_ledger import ENTRY

from include.errors import SetupWrong
from include.inventory.orders import Orders
from include.inventory.run import Rules
from include.inventory.sync_tables import ORDERS
from include.storage import read_json

COMPUTERS = {"feeds": ["computer"]}


def order(flow: Flow, action: str, *keys: str, feed: str = "computer") -> None:
    """Order something as the page does."""
    Orders(f"sqlite:///{flow.folder}/ledger.sqlite", flow.pair).place(feed, keys, action=action, by="ann", reason="why")


def trail(flow: Flow) -> list[tuple[str, ...]]:
    """Return the orders: action, key, state, run."""
    asked = sa.select(ORDERS.c.action, ORDERS.c.key, ORDERS.c.state, ORDERS.c.run_id).order_by(ORDERS.c.state)
    with flow.ledger.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


@pytest.fixture
def parked(tmp_path):
    """Give a flow whose second device ServiceNow has refused twice, which parks it."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Taker(states={"SER2": "error"})
    with between(tmp_path, tenant, taker) as flow:
        flow.rules = Rules(limits=flow.rules.limits, max_attempts=2)
        for _ in range(2):
            flow.run("devices", **COMPUTERS)
        yield flow, tenant, taker


@pytest.fixture
def two_apps(tmp_path):
    """Give a flow of apps that has sent the two apps of two devices."""
    tenant, taker = Tenant(apps=[app(1), app(2), app(3, on=2)]), Taker(computers={"SER1", "SER2"})
    with between(tmp_path, tenant, taker) as flow:
        flow.run("apps")
        yield flow, tenant, taker


def test_a_released_row_is_sent_by_the_next_run(parked):
    """The order stays until a row has its answer, is done then, and its attempts begin anew."""
    flow, _, _ = parked
    order(flow, "release", "ser2")
    assert flow.run("devices", mode="plan", **COMPUTERS)["computer"]["held"] == 1
    assert trail(flow) == [("release", "ser2", "open", None)]
    assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 2, "unchanged": 1, "error": 1}
    assert trail(flow) == [("release", "ser2", "done", f"r{flow.runs}")]
    assert flow.ledger.read_keys("computer", ["ser2"])["attempts"].tolist() == [1]


def test_a_row_parked_by_hand_waits_whatever_it_holds(two_apps):
    """It was never refused, and is held when it changes; once released it goes, and both orders are in the trail."""
    flow, tenant, _ = two_apps
    key = flow.ledger.read("apps").set_index("payload").filter(like="App 1", axis=0)["key"].iloc[0]
    order(flow, "park", key, feed="apps")
    assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 3}
    for version in ("2.0", "3.0"):
        tenant.apps[0] = app(1, version=version)
        assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 2, "held": 1}
        assert read_json(flow.last.report)["details"]["apps"]["held_because"] == {"parked by hand": 1}
    assert flow.run("apps", release_parked=["all"], full_resend=True)["apps"]["held"] == 1
    order(flow, "release", key, feed="apps")
    assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 2, "inserted": 1}
    assert sorted(row[2] for row in trail(flow)) == ["done", "replaced"]


def test_a_removal_that_is_parked_by_hand_is_not_sent(two_apps):
    """Nothing is told of the app until somebody releases it; no count of the source's rows has it."""
    flow, tenant, _ = two_apps
    gone = flow.ledger.read("apps").set_index("payload").filter(like="App 2", axis=0)["key"].iloc[0]
    order(flow, "park", gone, feed="apps")
    tenant.apps.pop(1)
    assert flow.run("apps")["apps"] == {"extracted": 2, "unchanged": 2}
    assert flow.last.parked("apps").read()["row"].tolist() == [-1]
    order(flow, "release", gone, feed="apps")
    assert flow.run("apps")["apps"] == {"extracted": 2, "unchanged": 2, "removed": 1}


def test_an_unchanged_row_is_sent_again_where_that_is_ordered(two_apps):
    """Its device's digest says that nothing has changed, and yet it goes, alone and once."""
    flow, _, taker = two_apps
    key = flow.ledger.read("apps").set_index("payload").filter(like="App 1", axis=0)["key"].iloc[0]
    order(flow, "resend", key, feed="apps")
    assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 2, "inserted": 1}
    assert [row["name"] for row in taker.sets[-1]] == ["App 1"]
    assert trail(flow) == [("resend", key, "done", f"r{flow.runs}")]
    assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 3}


def test_an_order_that_is_placed_while_a_run_is_under_way_is_for_the_next_one(two_apps):
    """What the run writes of the device does not hide the order from the next plan."""
    flow, tenant, _ = two_apps
    keys = flow.ledger.read("apps").set_index("payload")["key"]
    first = keys.filter(like="App 1").iloc[0]
    tenant.apps[1] = app(2, version="2.0")
    run = flow.prepare("apps")
    order(flow, "resend", first, feed="apps")
    flow.finish(run)
    assert trail(flow) == [("resend", first, "open", None)]
    assert flow.run("apps")["apps"] == {"extracted": 3, "unchanged": 2, "inserted": 1}
    assert trail(flow)[0][2] == "done"


def test_a_removal_is_sent_again_where_that_is_ordered(two_apps):
    """Somebody made the record active by hand: the removal goes once more, and the row stays removed."""
    flow, tenant, taker = two_apps
    gone = flow.ledger.read("apps").set_index("payload").filter(like="App 2", axis=0)["key"].iloc[0]
    tenant.apps.pop(1)
    assert flow.run("apps")["apps"]["removed"] == 1
    order(flow, "resend", gone, feed="apps")
    assert flow.run("apps")["apps"] == {"extracted": 2, "unchanged": 2, "removed": 1}
    assert [(row["name"], row["active"]) for row in taker.sets[-1]] == [("App 2", "false")]
    assert trail(flow)[0][2] == "done"
    assert flow.run("apps")["apps"] == {"extracted": 2, "unchanged": 2}


def test_ungrouped_rows_are_sent_again_too(parked):
    """Computers have no digests; a parked row that is ordered to be sent goes as well."""
    flow, _, taker = parked
    order(flow, "resend", "ser1", "ser2")
    taker.states = {}
    sent = inserts(flow)
    assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 2, "inserted": 2}
    assert inserts(flow) > sent
    assert [row[2] for row in trail(flow)] == ["done", "done"]


def test_a_row_that_is_again_as_servicenow_holds_it_is_no_longer_refused(tmp_path):
    """A change that was refused and is taken back in Iru leaves nothing to do: not refused, not waiting, in no plan."""
    tenant, taker = Tenant(devices=[device(1)]), Taker()
    with between(tmp_path, tenant, taker) as flow:
        flow.run("devices", **COMPUTERS)
        taker.states, tenant.devices = {"SER1": "error"}, [device(1, os_version="15")]
        flow.run("devices", **COMPUTERS)
        assert flow.ledger.read("computer")["since"].notna().all()
        order(flow, "release", "ser1")
        tenant.devices = [device(1)]
        assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 1, "unchanged": 1}
        entry = flow.ledger.read("computer").iloc[0]
        assert (entry["verdict"], entry["attempts"], entry["run_id"]) == ("unchanged", 0, "r3")
        assert entry[["since", "tried_payload"]].isna().all()
        assert entry["tried_hash"] == entry["row_hash"]
        assert trail(flow)[0][2] == "done"


def test_a_row_that_servicenow_never_took_and_that_is_gone_is_given_up(tmp_path):
    """A refused device that leaves Iru is stuck no more; one that only this run left out is."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Taker(states={"SER2": "error"})
    with between(tmp_path, tenant, taker) as flow:
        flow.run("devices", **COMPUTERS)
        flow.run("devices", serials=["SER1"], **COMPUTERS)
        order(flow, "resend", "ser2")
        tenant.devices.pop()
        flow.run("devices", mode="plan", **COMPUTERS)
        assert set(flow.ledger.read("computer")["key"]) == {"ser1", "ser2"}
        assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 1, "unchanged": 1}
        assert set(flow.ledger.read("computer")["key"]) == {"ser1"}
        assert trail(flow) == [("resend", "ser2", "done", f"r{flow.runs}")]


def test_a_later_order_replaces_an_earlier_one(tmp_path):
    """Of one row one order is open, the last; what it replaced stays in the trail."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY])
    orders = Orders(f"sqlite:///{tmp_path}/ledger.sqlite", PAIR)
    for action in ("park", "resend", "park"):
        assert orders.place("computer", ["k1", "k1"], action=action, by="ann", reason="why") == 1
    assert {key: order.action for key, order in orders.open_orders("computer").items()} == {"k1": "park"}
    assert orders.open_orders("apps") == {}
    assert orders.carry_out([order.order_id for order in orders.open_orders("computer").values()], "r1") == 1
    assert orders.open_orders("computer") == {}


@pytest.mark.parametrize(("action", "key"), [("delete", "k1"), ("park", "k2"), ("park", "K1")])
def test_an_order_that_makes_no_sense_is_refused_whole(tmp_path, action, key):
    """An unknown action or row changes nothing, and the message holds no key."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY])
    orders = book.orders
    orders.place("computer", ["k1"], action="park", by="ann", reason="why")
    with pytest.raises(SetupWrong, match=r"There is no order|1 of 2 rows are not in the ledger"):
        orders.place("computer", ["k1", key], action=action, by="ann", reason="why")
    assert {key: order.action for key, order in orders.open_orders("computer").items()} == {"k1": "park"}


def test_old_orders_are_forgotten_but_open_ones_stay(tmp_path):
    """A park stands however old it is."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY])
    for action in ("resend", "park"):
        book.orders.place("computer", ["k1"], action=action, by="ann", reason="why")
    assert book.orders.prune(before="2000-01-01 00:00:00") == 0
    assert book.orders.prune(before="9999-01-01 00:00:00") == 1
    assert [order.action for order in book.orders.open_orders("computer").values()] == ["park"]
