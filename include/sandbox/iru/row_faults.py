"""Records in an answer or a file as a fault leaves them."""

import json
from typing import Any

from starlette.responses import JSONResponse

from include.sandbox.iru.fault_kinds import ROW
from include.sandbox.iru.hostile_rows import make_hostile
from include.sandbox.iru.tenant import Tenant


def hostile_records(tenant: Tenant, kind: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ``records`` of devices or of a Prism category, those changed that a fault strikes."""
    shown: list[dict[str, Any]] = []
    for record in records:
        fault = tenant.faults.take(ROW, f"{kind} {record['device_id']}")
        neighbour = shown[-1] if shown else records[min(1, len(records) - 1)]
        shown.append(make_hostile(record, **fault.options, neighbour=neighbour) if fault else record)
    return shown


class RowsResponse(JSONResponse):
    """JSON that escapes what UTF-8 cannot hold, such as half of a surrogate pair."""

    def render(self, content: Any) -> bytes:
        """Return the body; every other character stays as it is where all of them can be sent."""
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()
