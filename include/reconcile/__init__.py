"""Reconciliation: what Iru lists, what the ledger believes, and what the tables of ServiceNow hold."""
