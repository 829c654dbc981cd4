"""A client of ServiceNow: OAuth, the Import Set API, and reads through the Table API."""
