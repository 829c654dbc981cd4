"""Airflow's edges of the pipeline: hooks, operators, and the tasks that the DAGs are made of."""

__version__ = "0.1.0"
