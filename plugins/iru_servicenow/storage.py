"""The storage root and what lies under it, as tasks, triggers and pages of other machines see it: as it is now."""

from airflow.sdk import ObjectStoragePath


def storage_path(uri: str) -> ObjectStoragePath:
    """Return a path whose folders are listed afresh each time.

    A client of an object store remembers a folder's listing, for as long as its process lives, and denies what another
    machine has put there since; the triggerer and the API server live for weeks.
    """
    path = ObjectStoragePath(uri, use_listings_cache=False)  # of a store that is reached without a connection
    remembered = getattr(path.fs, "dircache", None)
    if remembered is not None:
        remembered.use_listings_cache = False  # Airflow makes the client of a connection, and takes no such option
        remembered.clear()
    return path
