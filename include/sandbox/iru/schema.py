"""The tables in which the tenant lives.

Times are text in one fixed form (see ``spelling.stored_time``), so that they sort as they read.
``seq`` never comes twice: pages by key stay right while rows come and go.
"""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE tokens (token TEXT PRIMARY KEY, denied TEXT NOT NULL);
CREATE TABLE users (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL,
    department TEXT, job_title TEXT, archived INTEGER NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE blueprints (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, type TEXT NOT NULL,
    description TEXT NOT NULL, color TEXT NOT NULL, icon TEXT NOT NULL, enrollment_code TEXT NOT NULL
);
CREATE TABLE tags (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE);
CREATE TABLE devices (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    serial_number TEXT NOT NULL, family TEXT NOT NULL, model TEXT NOT NULL, model_id TEXT NOT NULL,
    capacity_gb REAL NOT NULL, processor TEXT NOT NULL, cores INTEGER NOT NULL, memory TEXT NOT NULL,
    apple_silicon INTEGER, cellular INTEGER NOT NULL, os_version TEXT NOT NULL, os_build TEXT NOT NULL,
    os_name TEXT NOT NULL, os_extra TEXT NOT NULL, blueprint_id TEXT NOT NULL, user_id TEXT,
    asset_tag TEXT, tags TEXT NOT NULL, mac_address TEXT NOT NULL, udid TEXT NOT NULL,
    mdm_enabled INTEGER NOT NULL, agent_version TEXT, filevault_enabled INTEGER,
    is_missing INTEGER NOT NULL, first_enrollment TEXT NOT NULL, last_enrollment TEXT NOT NULL,
    last_check_in TEXT, updated_at TEXT NOT NULL, unassigned_as_empty INTEGER NOT NULL
);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_blueprint ON devices (blueprint_id);
CREATE TABLE titles (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL, path TEXT NOT NULL, bundle_id TEXT,
    developer_name TEXT, team_id TEXT, signature TEXT, source TEXT NOT NULL, category TEXT,
    copyright TEXT, executable TEXT, minimum_system_version TEXT, app_store_vendable INTEGER,
    device_based_vpp INTEGER, bundle_size_bytes INTEGER
);
CREATE TABLE apps (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, device_seq INTEGER NOT NULL, title_key INTEGER NOT NULL,
    version TEXT NOT NULL, build TEXT NOT NULL, path TEXT NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, last_opened TEXT, is_removed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX apps_device ON apps (device_seq, is_removed);
CREATE INDEX apps_removed ON apps (is_removed);
CREATE TABLE audit (
    id TEXT PRIMARY KEY, action TEXT NOT NULL, occurred_at TEXT NOT NULL UNIQUE, actor_id TEXT NOT NULL,
    actor_type TEXT NOT NULL, target_id TEXT NOT NULL, target_type TEXT NOT NULL,
    target_component TEXT NOT NULL, new_state TEXT, metadata TEXT
);
CREATE INDEX audit_target ON audit (target_id);
CREATE TABLE exports (
    id TEXT PRIMARY KEY, category TEXT NOT NULL, args TEXT NOT NULL, file TEXT NOT NULL,
    created_at TEXT NOT NULL, written_at TEXT
);
"""
