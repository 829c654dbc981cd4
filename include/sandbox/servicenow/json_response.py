"""JSON as ServiceNow writes it: compact, with its own content type."""

import json
from typing import Any

from starlette.responses import Response


class SnowJson(Response):
    """A JSON answer."""

    media_type = "application/json;charset=UTF-8"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
