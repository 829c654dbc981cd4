"""What a newcomer types: set-up, a local Airflow, the sandbox beside it, single runs, the demo and its check."""
