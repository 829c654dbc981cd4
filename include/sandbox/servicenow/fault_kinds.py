"""The faults that only ServiceNow has, by name.

What holds for as long as it is set is a switch instead (``settings.py``): one transaction at a time in a session
(``session_serial``), ``semaphores``, the rule on requests per hour (``rate_limit_per_hour``), ``transaction_quota_s``,
``max_content_length_mb``, ``hibernating``, ``password_expired``; and wrong set-ups: ``maps_inactive``,
``missing_columns``, ``column_lengths``, ``insert_multiple_keys``, ``insert_multiple_synchronous``,
``transform_synchronously``, ``mdm_coalesce``, ``mdm_computer_missing``.

Points and their subjects: "gateway" (``POST /api/now/import/…``, a request before any API sees it), "stage" and "row"
(staging table, a blank, and the row's coalesce source values with blanks between them; a robust transformer's rows
too), "transform" and "quota" (staging table, once for each transform of a set or of a single record), "run_read"
(staging table, a read of ended runs of its sets).
"""

from include.sandbox.faults.kind import Catalogue, FaultKind, catalogue_of

GATEWAY, STAGE, ROW, TRANSFORM, QUOTA, RUN_READ = "gateway", "stage", "row", "transform", "quota", "run_read"

_REQUESTS = (
    FaultKind(
        name="dropped_202",
        point=GATEWAY,
        match="POST */import/*",
        summary="The request is answered 202 with an empty body and never processed.",
    ),
    FaultKind(
        name="token_expired",
        point=GATEWAY,
        match="* /api/*",
        summary="The request's bearer token expires as it arrives: 401, and a new grant gives another token.",
    ),
    FaultKind(
        name="quota_cancelled",
        point=QUOTA,
        summary="The transaction quota cancels a synchronous load: 500; after_rows rows are transformed, -1 is half.",
        options={"after_rows": -1},
    ),
)

_ROWS = (
    FaultKind(
        name="row_reference_rejected",
        point=ROW,
        summary="A reference value is rejected and the row with it (error 100); column names the target column.",
        options={"column": ""},
    ),
    FaultKind(
        name="row_choice_rejected",
        point=ROW,
        summary="A choice value is rejected and the row with it (error 200); column names the target column.",
        options={"column": ""},
    ),
    FaultKind(
        name="row_mandatory_missing",
        point=ROW,
        summary="A mandatory field of the target has no value (error 800); column names the target column.",
        options={"column": ""},
    ),
    FaultKind(
        name="row_script_error",
        point=ROW,
        summary="A script of the transform map fails; code is 900 (script) or 800 (invalid target).",
        options={"code": 900},
    ),
    FaultKind(name="row_skipped", point=ROW, summary="The row counts as one without coalesce values: skipped."),
    FaultKind(
        name="row_ignored_by_script",
        point=ROW,
        summary="An onBefore script sets ignore: state ignored; a single POST shows it as an error.",
    ),
    FaultKind(name="row_too_large", point=STAGE, summary="The row counts as over 8126 bytes: it is not stored."),
)

_TRANSFORMS = (
    FaultKind(
        name="transform_halted",
        point=TRANSFORM,
        summary="An onBefore script sets error at row at_row (from 0): rows after it stay pending, the set ends in "
        "error and the run did not complete. A single record is always that row.",
        options={"at_row": 0},
    ),
    FaultKind(
        name="transform_never_starts",
        point=TRANSFORM,
        summary="The set stays loaded for for_s seconds, or with 0 until the fault is cleared; a single POST's row "
        "stays pending for good.",
        options={"for_s": 0.0},
    ),
    FaultKind(
        name="transform_slow",
        point=TRANSFORM,
        summary="The transform takes for_s seconds longer; its run is running meanwhile.",
        options={"for_s": 5.0},
    ),
    FaultKind(
        name="completes_with_errors",
        point=TRANSFORM,
        summary='The run ends as "Complete with errors" although no row failed.',
    ),
    FaultKind(
        name="set_deleted",
        point=TRANSFORM,
        summary="After the transform the set, its runs and its rows are deleted, as by the seven-day cleaner.",
    ),
    FaultKind(
        name="counters_lag",
        point=RUN_READ,
        summary="The next reads reads of ended runs show half of their counters.",
        options={"reads": 1},
    ),
)

KINDS: Catalogue = catalogue_of(*_REQUESTS, *_ROWS, *_TRANSFORMS)
