"""One DAG per pair of tenant and instance; a pair whose settings are wrong never takes the others' DAGs away."""

from collections.abc import Callable
from datetime import UTC, datetime

from airflow.sdk import DAG, dag, task

from include.errors import SetupWrong
from include.inventory.settings import Settings, pair_names
from iru_servicenow.wiring import DEFAULT_ARGS

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)

WRONG_SETUP = "wrong set-up"
"""The tag of a DAG whose pair cannot run."""

_DOC = """### The pair `{pair}` cannot run

`prepare` fails until this is corrected; the other pairs go on.

    {message}
"""


def each_pair(name: str, build: Callable[[Settings], DAG]) -> dict[str, DAG]:
    """Return the DAGs of all pairs by id; ``build`` makes one from a pair's settings, its id begins with ``name``.

    The settings of the only pair are an import error when they are wrong, as is a list of pairs that cannot be read.
    Of several pairs, one that is wrong gets a DAG without a schedule that says what to correct, and fails with it.
    """
    dags: dict[str, DAG] = {}
    for pair in pair_names():
        try:
            built = build(Settings.of_pair(pair))
        except SetupWrong as error:
            if not pair:
                raise
            built = _says_why(f"{name}__{pair}", pair, str(error))
        dags[built.dag_id] = built
    return dags


def _says_why(dag_id: str, pair: str, message: str) -> DAG:
    @dag(
        dag_id=dag_id,
        dag_display_name=f"{dag_id}: {WRONG_SETUP}",
        description=message,
        schedule=None,
        start_date=START_DATE,
        catchup=False,
        doc_md=_DOC.format(pair=pair, message=message),
        default_args=DEFAULT_ARGS,
        tags=["iru", "servicenow", WRONG_SETUP],
    )
    def wrong() -> None:
        @task
        def prepare() -> None:
            raise SetupWrong(message)

        prepare()

    return wrong()
