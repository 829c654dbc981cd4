"""The pipeline's core: extract, shape, plan, settle. It imports no Airflow."""
