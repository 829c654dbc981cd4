"""A client of the Iru Endpoint API: pages in, nothing written."""
