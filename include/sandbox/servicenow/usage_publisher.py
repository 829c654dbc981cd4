"""The nightly job that fills ``samp_sw_usage`` from the installs' ``last_used``.

Source: the Kandji integration's documentation ("nightly usage-publisher job", reclamation_type ``last_used``);
ServiceNow, "Viewing software usage" (usage is kept per product and device, not per version).
"""

from collections.abc import Iterable

from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.store import new_sys_id

RECLAMATION_TYPE = "last_used"
_Usage = tuple[str, str]

_LATEST = """
    SELECT installed_on, display_name, publisher, max(last_used) AS last_used, max(sys_id) AS install
    FROM cmdb_sam_sw_install
    WHERE active = 'true' AND last_used <> '' AND installed_on <> ''
    GROUP BY installed_on, display_name, publisher"""


def publish_usage(instance: Instance) -> int:
    """Insert or update one usage record per device and product; return how many were written."""
    if not instance.settings.sam_pro:
        return 0
    with instance.database.transaction():
        latest = instance.database.rows(_LATEST)
        products = _products(instance, ((row["display_name"], row["publisher"]) for row in latest))
        known = {
            (row["configuration_item"], row["norm_product"]): row
            for row in instance.store.find("samp_sw_usage", {"reclamation_type": RECLAMATION_TYPE})
        }
        owners = dict(map(tuple, instance.database.rows("SELECT sys_id, assigned_to FROM cmdb_ci_computer")))
        new, written = [], 0
        for row in latest:
            key = (row["installed_on"], products[_key(row["display_name"], row["publisher"])])
            values = {"last_used_time": row["last_used"], "user": owners.get(row["installed_on"], "")}
            found = known.get(key)
            if found is None:
                new.append(_record(key, values))
            elif any(found[name] != value for name, value in values.items()):
                instance.store.update("samp_sw_usage", found["sys_id"], values)
                written += 1
        return written + instance.store.insert_many("samp_sw_usage", new)


def _record(key: _Usage, values: dict[str, str]) -> dict[str, str]:
    item, product = key
    return {**values, "configuration_item": item, "norm_product": product, "reclamation_type": RECLAMATION_TYPE}


def _products(instance: Instance, wanted: Iterable[tuple[str, str]]) -> dict[_Usage, str]:
    """Return the product of each name and publisher, made where there is none, and tell the installs."""
    found = instance.store.find("samp_sw_product", {})
    known = {_key(row["name"], row["publisher"]): row["sys_id"] for row in found}
    new = []
    for name, publisher in wanted:
        if _key(name, publisher) not in known:
            known[_key(name, publisher)] = new_sys_id()
            new.append({"sys_id": known[_key(name, publisher)], "name": name, "publisher": publisher})
    instance.store.insert_many("samp_sw_product", new)
    with instance.database.transaction() as connection:
        connection.execute(
            "UPDATE cmdb_sam_sw_install SET norm_product = p.sys_id FROM samp_sw_product AS p"
            " WHERE norm_product = '' AND p.name = display_name AND p.publisher = cmdb_sam_sw_install.publisher"
        )
    return known


def _key(name: str, publisher: str) -> _Usage:
    return name.lower(), publisher.lower()
