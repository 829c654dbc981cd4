/** What the API answers: the contract with `plugins/iru_servicenow/sync_api`. Times are ISO 8601, UTC. */

export type Light = "green" | "amber" | "red" | "grey";

export const VERDICTS = [
  "inserted",
  "updated",
  "processed",
  "unchanged",
  "ignored",
  "skipped",
  "held",
  "rejected",
  "error",
  "filtered",
] as const;
export type CountName = (typeof VERDICTS)[number] | "extracted" | "removed";
export type Counts = Record<CountName, number>;

export type Page<T> = { rows: T[]; next: string | null; total: { n: number; is_exact: boolean } };

export type May = {
  read_devices: boolean;
  read_apps: boolean;
  write_devices: boolean;
  write_apps: boolean;
  read_setup: boolean;
};
export type Pair = {
  name: string;
  title: string;
  iru: string;
  servicenow: string;
  max_attempts: number;
  dags: { devices: string; apps: string; preflight: string; reconcile: string };
  flows: Record<string, "devices" | "apps">;
  may: May;
};
export type Pairs = { user: string; pairs: Pair[] };

export type Seen = { rows: number; at: string; told_by: "load" | "reconcile" };
export type Waiting = { n: number; oldest_s: number | null; newest_s: number | null };
export type FeedState = {
  feed: string;
  flow: "devices" | "apps";
  light: Light;
  why: string[];
  in_iru: Seen | null;
  in_ledger: { rows: number };
  in_servicenow: Seen | null;
  difference: number | null;
  unconfirmed: Waiting;
  stuck: { refused: number; parked: number; held: number; rejected: number };
  last_run: {
    dag_id: string;
    run_id: string;
    ended_at: string;
    failed: string;
    is_whole: boolean;
    counts: Counts;
  } | null;
  last_success_at: string | null;
  period_s: number | null;
};
export type Quota = {
  service: "iru" | "servicenow";
  limit: number | null;
  used: number | null;
  share: number | null;
  at: string | null;
  says: string;
};
export type Overview = { now: string; feeds: FeedState[]; waiting_changes: Waiting | null; quotas: Quota[] };

export type RunRow = {
  dag_id: string;
  run_id: string;
  flow: string;
  mode: string;
  is_whole: boolean;
  began_at: string;
  ended_at: string;
  failed: string;
  feeds: Record<string, Counts>;
  rows_sent: number;
  load_s: number;
  rows_per_s: number | null;
  requests: { iru: number; servicenow: number };
  retries: number;
  latency: { n: number; p50_s: number; p95_s: number } | null;
  import_sets: { feed: string; name: string; url: string }[];
  report_url: string | null;
};
export type Day = { day: string; feed: string; runs: number; failed: number; counts: Counts };
export type LatencyDay = { day: string; n: number; p50_s: number; p95_s: number };

export type Kind = "refused" | "parked" | "held" | "rejected";
export type Action = "release" | "park" | "resend";
export type StuckRow = {
  feed: string;
  key: string;
  key_shown: string;
  kind: Kind;
  verdict: string;
  serial_number: string;
  device_id: string | null;
  name: string;
  message: string;
  attempts: number;
  since: string;
  run_id: string;
  dag_id: string;
  open_order: { action: Action; ordered_by: string; ordered_at: string } | null;
  may_order: Action[];
};
export type Group = { kind: Kind; feed: string; verdict: string; message: string; n: number };
export type Column = { column: string; label: string; target: string | null };
export type ImportSet = { name: string; url: string };
export type Order = {
  order_id: number | string;
  feed: string;
  key: string;
  action: Action;
  ordered_by: string;
  ordered_at: string;
  reason: string;
  state: string;
  run_id: string | null;
  done_at: string | null;
};
export type Verdict = {
  feed: string;
  key: string;
  key_shown: string;
  name: string;
  verdict: string;
  message: string;
  at: string;
  run_id: string;
  dag_id: string;
  import_set: ImportSet | null;
  is_present: boolean;
};
export type StuckDetail = StuckRow & {
  sent: Record<string, string> | null;
  confirmed: Record<string, string> | null;
  columns: Column[];
  import_set: ImportSet | null;
  orders: Order[];
  history: Verdict[];
};
export type Placed = { placed: number; starts_with: string };

export type DeviceRow = {
  device_id: string | null;
  serial_number: string;
  name: string;
  model: string;
  os_type: string;
  os_version: string;
  is_active: boolean;
  verdict: string;
  confirmed_at: string | null;
  apps: number;
};
export type Field = {
  column: string;
  label: string;
  target: string | null;
  iru: string | null;
  sent: string | null;
  ledger: string | null;
  servicenow: string | null;
  state: "same" | "differs" | "unknown";
};
export type DeviceFeed = {
  feed: string;
  key: string;
  key_shown: string;
  verdict: string;
  message: string;
  attempts: number;
  confirmed_at: string | null;
  tried_at: string;
  run_id: string;
  dag_id: string;
  import_set: ImportSet | null;
  fields: Field[];
  iru_at: string | null;
  servicenow_at: string | null;
};
export type Device = { device: DeviceRow; feeds: DeviceFeed[]; waiting: StuckRow[] };
export type DeviceApp = {
  key: string;
  name: string;
  publisher: string;
  version: string;
  path: string;
  last_opened: string | null;
  active: boolean;
  verdict: string;
  message: string;
  confirmed_at: string | null;
  unconfirmed: boolean;
};

export type Fact = { value: string; devices: number };
export type Fleet = {
  as_of: string | null;
  devices: number;
  facts: { os_type: Fact[]; os_version: Fact[]; model: Fact[]; capacity: Fact[] };
  apps: {
    as_of: string | null;
    titles: number;
    installs: number;
    never_opened: number;
    unused_30: number;
    unused_90: number;
    unused_180: number;
    tells_usage: boolean;
  };
};
export type Title = {
  title_id: string | number;
  name: string;
  publisher: string;
  installs: number;
  devices: number;
  versions: number;
  top_version: string;
  never_opened: number;
  unused_30: number;
  unused_90: number;
  unused_180: number;
  newest_opened: string | null;
};
export type Finding = {
  check: string;
  part: string;
  question: string;
  state: "ok" | "wrong" | "cannot_tell";
  seen: string;
  to_do: string;
  loses_data: boolean;
};
export type Setup = { dag_id: string; run_id: string | null; at: string | null; findings: Finding[] };

export type AirflowDag = { next_dagrun_run_after: string | null; is_paused: boolean };
