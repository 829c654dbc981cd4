"""One DAG per pair of tenant and instance; a pair whose settings are wrong never takes the others' DAGs away."""

from collections.abc import Callable

from airflow.sdk import DAG, dag, task

from include.errors import SetupWrong
from include.inventory.settings import Settings, pair_names
from iru_servicenow.wiring import DEFAULT_ARGS, START_DATE

WRONG_SETUP = "wrong set-up"
"""The tag of a DAG whose pair cannot run."""

_DOC = """### The pair `{pair}` cannot run

`prepare` fails until this is corrected; the other pairs go on.

    {message}
"""


def each_pair(name: str, build: Callable[[Settings], DAG]) -> None:
    """Make the DAGs of all pairs, which Airflow finds by itself; the id of what ``build`` makes begins with ``name``.

    The settings of the only pair are an import error when they are wrong, as is a list of pairs that cannot be read.
    Of several pairs, one that is wrong gets a DAG without a schedule that says what to correct, and fails with it.
    """
    for pair in pair_names():
        try:
            build(Settings.of_pair(pair))
        except SetupWrong as error:
            if not pair:
                raise
            _say_why(f"{name}__{pair}", pair, str(error))


def _say_why(dag_id: str, pair: str, message: str) -> None:
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

    wrong()
