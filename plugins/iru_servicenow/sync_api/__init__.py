"""The sync page's API: thin routes over ``include/insight``, each behind Airflow's own permissions."""
