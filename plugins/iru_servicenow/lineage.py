"""What a load tells OpenLineage: which frame went into which table, and how many rows.

Called by the OpenLineage provider only, so nothing of it is imported where that is not installed. Source: Airflow's
OpenLineage provider, "Implementing OpenLineage in operators".
"""

from typing import Any
from urllib.parse import urlsplit


def load_lineage(*, frame_uri: str, base_url: str, tables: list[str], rows: int) -> Any:
    """Return the lineage of a load: the frame, and the tables of the instance with the number of rows sent."""
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    frame = urlsplit(frame_uri)
    namespace = f"{frame.scheme}://{frame.netloc}" if frame.scheme and frame.netloc else "file"
    statistics = {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
    instance = f"servicenow://{urlsplit(base_url).netloc}"
    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=frame.path)],
        outputs=[OutputDataset(namespace=instance, name=table, outputFacets=statistics) for table in tables],
    )
