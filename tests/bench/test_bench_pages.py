"""The benchmark's pages are what a tenant would send: valid, as many as were asked for, devices with their apps."""

import json

from bench.app_pages import AppPages
from include.iru.raw_rows import parse_envelope

TEMPLATES = [
    {"device_id": "x", "serial_number": "x", "name": f"App {n}", "path": f"/a/{n}.app", "version": "1"}
    for n in range(7)
]


def test_every_row_is_there_once():
    """Pages of 300 rows hold each device's apps, and a changed share of the devices has another version."""
    pages = AppPages(TEMPLATES, 100, changed_share=0.02)
    bodies = list(pages.bodies())
    rows = [row for body in bodies for row in json.loads(body)["data"]]
    assert len(rows) == pages.rows == 700
    assert [len(parse_envelope(body)["data"]) for body in bodies] == [300, 300, 100]
    assert len({(row["device_id"], row["path"]) for row in rows}) == 700
    assert len({row["serial_number"] for row in rows}) == 100
    assert sum(row["version"] != "1" for row in rows) == 14
