"""Load one staging frame through the Import Set API and learn one verdict for every row."""
