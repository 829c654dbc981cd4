"""Change detection: which devices changed in Iru since it was asked last, without webhooks."""
