"""The set-up check: what both services, the account and the token are ready for, before anything is sent."""
