"""What the sync page shows: questions to the ledger's database, each bounded, none of them writing."""
