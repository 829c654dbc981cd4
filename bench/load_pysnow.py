"""Rows one by one through pysnow, run by the Python of an environment that has it; prints the seconds that it took."""

import json
import sys
import time

import pysnow


def main() -> None:
    """Create the rows that standard input describes."""
    asked = json.load(sys.stdin)
    user, password = asked["account"]
    since_s = time.perf_counter()
    client = pysnow.Client(host=asked["host"], user=user, password=password, use_ssl=False)
    resource = client.resource(api_path=f"/import/{asked['table']}")
    for row in asked["rows"]:
        resource.create(payload=row)
    print(time.perf_counter() - since_s)


if __name__ == "__main__":
    main()
