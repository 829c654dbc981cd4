"""Keep what was measured in one file, an object for each part."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "results.json"


def keep(part: str, measured: Mapping[str, Any], file: Path = FILE) -> None:
    """Put a part's results in place of its earlier ones; the other parts' stay. The file is never half written."""
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    machine = {"cores": os.cpu_count(), "python": ".".join(map(str, sys.version_info[:3]))}
    parts[part] = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **measured}
    written = file.with_suffix(".json.part")
    written.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
    written.replace(file)
