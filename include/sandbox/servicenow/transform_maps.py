"""Transform maps and robust transformers as data, read from the tables that an administrator edits.

Source: ServiceNow, "Create a transform map", "Create a field map", "Import set key concepts" (a robust transformer
wins over maps on the same table).
"""

from dataclasses import dataclass

from include.sandbox.servicenow.kandji_app import ROBUST_DEFINITIONS
from include.sandbox.servicenow.store import Record, Store

_WATCHED = ("sys_transform_map", "sys_transform_entry", "sys_robust_import_set_transformer")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """One source column into one target column."""

    source: str
    target: str
    coalesce: bool = False
    coalesce_empty: bool = False
    case_sensitive: bool = False
    choice_action: str = "create"
    lookup: str = ""
    """Referenced value field name; blank means the referenced table's display column."""
    date_format: str = "yyyy-MM-dd HH:mm:ss"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformMap:
    """A staging table into a target table. ``robust`` marks one of the Robust Transform Engine."""

    sys_id: str
    name: str
    source_table: str
    target_table: str
    fields: tuple[FieldMap, ...]
    copy_empty_fields: bool = False
    create_on_empty_coalesce: bool = False
    enforce_mandatory: str = "No"
    robust: bool = False
    batch_size: int = 100

    @property
    def coalesce_columns(self) -> list[str]:
        """Return the target columns that find an existing record."""
        return [field.target for field in self.fields if field.coalesce]

    @property
    def coalesce_sources(self) -> list[str]:
        """Return the staging columns that a row is known by."""
        return [field.source for field in self.fields if field.coalesce]


class MapLibrary:
    """The active maps of every staging table; reads the tables again after they changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[TransformMap, ...]] = {}
        for table in _WATCHED:
            store.on_change(table, lambda _: self._known.clear())

    def maps_for(self, staging_table: str) -> tuple[TransformMap, ...]:
        """Return the maps that run on a table, lowest order first, or its robust transformer alone."""
        known = self._known.get(staging_table)
        if known is None:
            known = self._robust(staging_table) or self._maps(staging_table)
            for each in known:
                self._index(each)
            self._known[staging_table] = known
        return known

    def _robust(self, staging_table: str) -> tuple[TransformMap, ...]:
        where = {"source_table": staging_table, "active": "true"}
        rows = self._store.find("sys_robust_import_set_transformer", where)
        return tuple(_robust_map(row) for row in rows[:1] if row["definition"] in ROBUST_DEFINITIONS)

    def _maps(self, staging_table: str) -> tuple[TransformMap, ...]:
        where = {"source_table": staging_table, "active": "true"}
        rows = self._store.find("sys_transform_map", where, order='CAST("order" AS INTEGER), rowid')
        return tuple(self._map(row) for row in rows)

    def _map(self, row: Record) -> TransformMap:
        entries = self._store.find("sys_transform_entry", {"map": row["sys_id"]}, order="rowid")
        return TransformMap(
            sys_id=row["sys_id"],
            name=row["name"],
            source_table=row["source_table"],
            target_table=row["target_table"],
            fields=tuple(map(_field, entries)),
            copy_empty_fields=row["copy_empty_fields"] == "true",
            create_on_empty_coalesce=row["create_new_record_on_empty_coalesce_fields"] == "true",
            enforce_mandatory=row["enforce_mandatory_fields"],
        )

    def _index(self, each: TransformMap) -> None:
        """Index what the map looks records up by."""
        if each.coalesce_columns:
            self._store.ensure_index(each.target_table, each.coalesce_columns)
        target = self._store.schema.find(each.target_table)
        for field in each.fields:
            column = target.columns.get(field.target) if target else None
            referenced = self._store.schema.find(column.reference) if column and column.reference else None
            if referenced:
                self._store.ensure_index(referenced.name, [field.lookup or referenced.display])


def _field(entry: Record) -> FieldMap:
    return FieldMap(
        source=entry["source_field"],
        target=entry["target_field"],
        coalesce=entry["coalesce"] == "true",
        coalesce_empty=entry["coalesce_empty_fields"] == "true",
        case_sensitive=entry["coalesce_case_sensitive"] == "true",
        choice_action=entry["choice_action"] or "create",
        lookup=entry["reference_value_field"],
        date_format=entry["date_format"] or "yyyy-MM-dd HH:mm:ss",
    )


def _robust_map(row: Record) -> TransformMap:
    definition = ROBUST_DEFINITIONS[row["definition"]]
    fields = tuple(FieldMap(**dict(each)) for each in definition.fields)
    return TransformMap(
        sys_id="",
        name=row["name"],
        source_table=row["source_table"],
        target_table=definition.target_table,
        fields=fields,
        robust=True,
        batch_size=int(row["batch_size"] or 100),
    )
