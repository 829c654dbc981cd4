"""The same DAGs on a cluster of processes: Celery workers, Redis, PostgreSQL and an S3 server on this machine."""
