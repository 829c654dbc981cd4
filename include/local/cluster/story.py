"""Which worker ran which task, and how many rows went through it: what a cluster demo ends with."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from include.local.demo import DAGS, id_of_run
from include.local.rest import AirflowApiError, AirflowClient, TaskInstance

LOAD = "load."


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a task: of which run, on which worker, how it ended, and how many rows a load brought to a verdict."""

    dag_id: str
    turn: int
    task: TaskInstance
    rows: int = 0

    @property
    def worker(self) -> str:
        """The worker that ran it."""
        return self.task.hostname

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end."""
        return self.task.state == "success"


def read_story(client: AirflowClient) -> list[Try]:
    """Return every try of every task of the demo's runs that a worker took up."""
    return [each for dag_id in DAGS for turn in (1, 2) for each in _of_run(client, dag_id, turn)]


def _of_run(client: AirflowClient, dag_id: str, turn: int) -> Iterable[Try]:
    run_id = id_of_run(turn)
    for task in client.task_instances(dag_id, run_id):
        for each in client.tries(dag_id, run_id, task):
            if each.hostname:
                yield Try(dag_id, turn, each, _rows(client, dag_id, run_id, each))


def _rows(client: AirflowClient, dag_id: str, run_id: str, task: TaskInstance) -> int:
    """Return the rows of a load that succeeded; another task, or try, has none."""
    if not task.task_id.startswith(LOAD) or task.state != "success":
        return 0
    try:
        told = client.xcom(dag_id, run_id, task.task_id, map_index=task.map_index)
    except AirflowApiError:
        return 0
    return int(told["rows"])


def table_of_workers(story: Sequence[Try]) -> Table:
    """Return one row per task, with how many of its tries each worker ran and brought to their end."""
    workers = sorted({each.worker for each in story})
    table = Table(title="Which worker did what", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("task")
    for worker in workers:
        table.add_column(worker, justify="right")
    for name in dict.fromkeys(_name(each) for each in story):
        table.add_row(name, *(_tries([t for t in story if _name(t) == name and t.worker == w]) for w in workers))
    table.add_section()
    rows: Counter[str] = Counter()
    for each in story:
        rows[each.worker] += each.rows
    table.add_row("tasks", *(str(sum(each.worker == worker for each in story)) for worker in workers))
    table.add_row("rows sent", *(f"{rows[worker]:,}" for worker in workers))
    return table


def _name(each: Try) -> str:
    return f"{each.dag_id} {each.task.task_id}"


def _tries(tries: Sequence[Try]) -> str:
    """Tell of some tries how many there were, and how those ended that did not succeed."""
    ended = sum(each.succeeded for each in tries)
    lost = len(tries) - ended
    return " + ".join([*([str(ended)] if ended else []), *([f"{lost} lost"] if lost else [])]) or "·"
