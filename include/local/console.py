"""What a single run shows in the terminal: short lines without secrets, everything else in a log file."""

import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from include.local.environment import PROJECT_ROOT

_SECRET_NAME = re.compile(r"password|secret|token|passphrase|private_key|api_?key", re.IGNORECASE)
_TASK_STARTS = re.compile(r"\[DAG TEST\] starting task_id=(?P<task>\S+) map_index=(?P<index>-?\d+)")
_TASK_WAITS = re.compile(r"<TaskInstance: [^.>]+\.(\S+) [^>]*up_for_retry[^>]*>")
_TEST_LOGGER = "airflow.sdk.definitions.dag"
_QUIET_LOGGERS = ("airflow.", "alembic", "task", "py.warnings", "httpx")
_TASK_LOGGERS = ("airflow.task.hooks", "airflow.task.operators")
_OWN_NOISE = ("Done. Returned value was",)
_TASK_FAILED = "Task failed with exception"
ON_PURPOSE = frozenset(
    {
        "AccessDenied", "AirflowFailException", "AnswerLost", "AnswerUnusable", "BadQuestion", "BadRequest",
        "CountsDisagree", "ExportUnusable", "NoAnswer", "NoLedger", "NoSuchTable", "NotFound", "NotPermitted",
        "NotThere", "OtherForm", "Refused", "Repeated", "RetryLater", "RunUnsafe", "SetupWrong", "StorageFailed",
        "StoredOtherwise", "TokenRefused", "TooSlow", "TransformPending", "WalkBroken",
    }
)  # fmt: skip
"""The pipeline's own errors by name, since nothing is imported from it here."""
_LEVELS_SHOWN_ALWAYS = ("error", "critical")
_HIDDEN_FIELDS = frozenset(
    {"timestamp", "level", "event", "logger", "filename", "lineno", "exception", "ti", "category", "ti_id"}
)


def secrets_of_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the secret values of the ``AIRFLOW_CONN_…`` variables, the longest first."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.startswith("AIRFLOW_CONN_"):
            found |= _secrets_of_connection(value)
    return sorted((secret for secret in found if len(secret) > 4), key=len, reverse=True)


def _secrets_of_connection(value: str) -> set[str]:
    try:
        return set(_secret_values(json.loads(value)))
    except ValueError:
        return set(re.findall(r"://[^/@]*:([^/@]+)@", value))


def _secret_values(value: Any, name: str = "") -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secret_values(_decoded(item) if key == "extra" else item, str(key))
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        yield value


def _decoded(extra: Any) -> Any:
    """Return a connection's extra as an object; Airflow also takes it as JSON in a string."""
    try:
        return json.loads(extra) if isinstance(extra, str) else extra
    except ValueError:
        return None


def tells_secrets(line: str) -> bool:
    """Say whether a line is Airflow telling its masker what to hide, which a run in one process logs at debug level."""
    return "Sending request" in line and "MaskSecret(" in line


def render(line: str) -> str | None:
    """Return what the terminal shows of one line of Airflow's JSON log; None for nothing, plain lines as they are."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not (isinstance(entry, dict) and "event" in entry):
        return line
    if entry.get("logger") == _TEST_LOGGER:
        return _course_of_the_run(str(entry["event"]))
    return _event_line(entry) if _is_shown(entry) else None


def _course_of_the_run(event: str) -> str | None:
    """Say which task starts, or which one waits until it may be tried again."""
    if task := _TASK_STARTS.search(event):
        index = "" if task["index"] == "-1" else f"[{task['index']}]"
        return f"── {task['task']}{index}"
    waiting = sorted(set(_TASK_WAITS.findall(event)))
    return f"   waiting to try {', '.join(waiting)} again" if waiting else None


def _is_shown(entry: Mapping[str, Any]) -> bool:
    logger = str(entry.get("logger", ""))
    if entry.get("level") in _LEVELS_SHOWN_ALWAYS:
        return "XCom not found" not in str(entry["event"])  # the normal end of a mapped sequence
    if logger.startswith(_TASK_LOGGERS):
        return not str(entry["event"]).startswith(_OWN_NOISE)
    if logger == "py.warnings":
        file = str(entry.get("filename", ""))
        return file.startswith(str(PROJECT_ROOT)) and "site-packages" not in file
    return not logger.startswith(_QUIET_LOGGERS)


def _event_line(entry: Mapping[str, Any]) -> str:
    level = str(entry.get("level", "info"))
    prefix = f"{str(entry.get('timestamp', ''))[11:19]}  " + ("" if level == "info" else f"{level.upper()}: ")
    if said := _said_on_purpose(entry):
        return f"{prefix}{said}"
    fields = "".join(f"  {name}={value}" for name, value in entry.items() if name not in _HIDDEN_FIELDS)
    return "\n".join([f"{prefix}{entry['event']}{fields}", *_exception_lines(entry.get("exception") or [])])


def _said_on_purpose(entry: Mapping[str, Any]) -> str:
    """Return the message with which a task failed on purpose; it says what to do, where it was raised is in the log."""
    raised = entry.get("exception") or [{}]
    ours = str(raised[0].get("exc_type")) in ON_PURPOSE
    return str(raised[0].get("exc_value")) if ours and entry["event"] == _TASK_FAILED else ""


def _is_repeated(shown: str, latest: str) -> bool:
    """Say whether a failure tells only what the report just before it has told."""
    _, is_error, message = shown.partition("  ERROR: ")
    return bool(is_error) and "FAILED: " in latest and message in " ".join(latest.split())


def _exception_lines(errors: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Show each error with the lines of our own code that it came through."""
    for error in errors:
        yield f"    {error.get('exc_type')}: {error.get('exc_value')}"
        for frame in error.get("frames") or []:
            file = Path(str(frame.get("filename")))
            if file.is_relative_to(PROJECT_ROOT) and "site-packages" not in file.parts:
                yield f"      at {file.relative_to(PROJECT_ROOT)}:{frame.get('lineno')} in {frame.get('name')}"


class Console:
    """Takes over file descriptors 1 and 2 of this process for as long as a ``with`` block lasts.

    Every line loses its secrets, goes to the log file whole, and to the terminal as ``render`` shows it.
    """

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._secrets = secrets_of_environment(os.environ)

    def __enter__(self) -> Self:
        """Start passing lines on."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        self._saved = os.dup(1), os.dup(2)
        reader, writer = os.pipe()
        for descriptor in (1, 2):
            os.dup2(writer, descriptor)
        os.close(writer)
        self._terminal = os.fdopen(os.dup(self._saved[0]), "w", buffering=1, errors="replace")
        self._log = self.log_path.open("w", errors="replace")
        self._pump = threading.Thread(target=self._pass_on, args=(os.fdopen(reader, errors="replace"),))
        self._pump.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the descriptors back once every line has been passed on."""
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, saved in zip((1, 2), self._saved, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
        self._pump.join(timeout=5)
        self._log.close()
        self._terminal.close()

    def _pass_on(self, lines: IO[str]) -> None:
        """Pass on each line; Airflow repeats every second what it waits for, which is shown once."""
        latest = ""
        for line in lines:
            if tells_secrets(line):
                continue
            clean = self._without_secrets(line.rstrip("\n"))
            print(clean, file=self._log, flush=True)
            shown = render(clean)
            if shown is not None and (shown != latest or shown == clean) and not _is_repeated(shown, latest):
                print(shown, file=self._terminal)
                latest = shown

    def _without_secrets(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
        return _masked_by_airflow(line)


def _masked_by_airflow(line: str) -> str:
    """Hide what Airflow knows to be secret, such as a password of a connection that its database holds."""
    masker = sys.modules.get("airflow.sdk._shared.secrets_masker")
    return str(masker.redact(line)) if masker else line
