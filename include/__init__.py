"""Airflow-free packages: the pipeline's core, its two API clients, and the sandbox."""
