"""Answers as JSON, and the sentences for questions that make no sense."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response


class Json(Response):
    """JSON of ASCII alone: whatever a name holds, lone surrogates too, is spelled so that a browser reads it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def sentence(problems: Iterable[Mapping[str, Any]]) -> str:
    """Say what is wrong with a request, without repeating what was in it."""
    for problem in problems:
        place = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
        return f"{place or 'The body'}: {problem['msg']}. Correct the request."
    return "The request cannot be read. Correct it."
