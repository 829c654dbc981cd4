/** Made-up answers to the whole contract: deterministic, with hostile names, empty states and failures (`?mock=empty|errors|reader|pairs`). */

const NOW = Date.now();
const iso = (secondsAgo) => new Date(NOW - secondsAgo * 1000).toISOString().replace(/\.\d+Z/, "Z");
const HOSTILE = [
  "<script>alert(1)</script>",
  '=HYPERLINK("http://x","y")',
  "\u202egnp.exe",
  "A".repeat(180),
  "日本語アプリ 🧪 العربية",
  "'; DROP TABLE apps; --",
];
const MODELS = [
  "MacBook Pro (14-inch, M4, 2024)",
  "MacBook Air (13-inch, M3, 2024)",
  "iMac (24-inch, M4)",
  "Mac mini (M2, 2023)",
  "iPad Pro 11-inch (M4)",
  "iPhone 16 Pro",
  "Apple TV 4K (3rd generation)",
];
const zero = {
  extracted: 0,
  filtered: 0,
  rejected: 0,
  unchanged: 0,
  inserted: 0,
  updated: 0,
  processed: 0,
  ignored: 0,
  skipped: 0,
  error: 0,
  removed: 0,
  held: 0,
};
const counts = (n, some) => ({
  ...zero,
  extracted: n,
  unchanged: n - Object.values(some).reduce((a, b) => a + b, 0) + (some.removed ?? 0),
  ...some,
});
const pick = (list, i) => list[i % list.length];
const DAGS = (end) => ({
  devices: `iru_devices${end}`,
  apps: `iru_apps${end}`,
  preflight: `iru_servicenow_preflight${end}`,
  reconcile: `iru_servicenow_reconcile${end}`,
});
const set = (n) => ({
  name: n === 3 ? "INaf07ac7ef05132df497338c18082d8fb" : `ISET00${10234 + n}`,
  url: `https://dev12345.service-now.com/sys_import_set.do?sys_id=${n}`,
});

const pairs = (mode) => {
  const may = {
    read_devices: true,
    read_apps: true,
    write_devices: mode !== "reader",
    write_apps: mode !== "reader",
    read_setup: mode !== "reader",
  };
  const one = {
    name: "-",
    title: "acme → dev12345",
    iru: "https://acme.api.kandji.io",
    servicenow: "https://dev12345.service-now.com",
    max_attempts: 5,
    dags: DAGS(""),
    flows: { computer: "devices", mdm: "devices", apps: "apps" },
    may,
  };
  const more = [
    { ...one, name: "emea", title: "emea → prod-emea", dags: DAGS("__emea") },
    { ...one, name: "apac", title: "apac → prod-apac", dags: DAGS("__apac") },
  ];
  return { user: "admin", pairs: mode === "pairs" ? more : [one] };
};

const lastRun = (dag, s, failed, c, is_whole = true) => ({
  dag_id: dag,
  run_id: `scheduled__${iso(s).slice(0, 19)}+00:00`,
  ended_at: iso(s),
  failed,
  is_whole,
  counts: c,
});
const feeds = () => [
  {
    feed: "computer",
    flow: "devices",
    light: "green",
    why: ["Every change of the last hour is confirmed."],
    in_iru: { rows: 49_871, at: iso(1240), told_by: "load" },
    in_ledger: { rows: 49_871 },
    in_servicenow: { rows: 49_871, at: iso(1240), told_by: "load" },
    difference: 0,
    unconfirmed: { n: 0, oldest_s: null, newest_s: null },
    stuck: { refused: 0, parked: 0, held: 0, rejected: 3 },
    last_run: lastRun("iru_devices", 1240, "", counts(49_874, { inserted: 12, updated: 241, rejected: 3 })),
    last_success_at: iso(1240),
    period_s: 3600,
  },
  {
    feed: "mdm",
    flow: "devices",
    light: "amber",
    why: ["14 rows were refused by ServiceNow; the oldest has waited for 3 hours.", "2 rows are parked."],
    in_iru: { rows: 49_871, at: iso(1240), told_by: "load" },
    in_ledger: { rows: 49_855 },
    in_servicenow: { rows: 49_855, at: iso(90_000), told_by: "reconcile" },
    difference: -16,
    unconfirmed: { n: 14, oldest_s: 10_900, newest_s: 185 },
    stuck: { refused: 14, parked: 2, held: 31, rejected: 0 },
    last_run: lastRun("iru_devices", 95, "", counts(60, { updated: 14, error: 14, held: 31 }), false),
    last_success_at: iso(95),
    period_s: 3600,
  },
  {
    feed: "apps",
    flow: "apps",
    light: "red",
    why: [
      "The last run failed: guard many_removals stopped it before it wrote.",
      "No run has succeeded for 2 days, and one is due every day.",
    ],
    in_iru: { rows: 4_987_100, at: iso(180_000), told_by: "load" },
    in_ledger: { rows: 4_980_231 },
    in_servicenow: { rows: 4_979_988, at: iso(180_000), told_by: "load" },
    difference: -7112,
    unconfirmed: { n: 6869, oldest_s: 190_000, newest_s: 41_000 },
    stuck: { refused: 243, parked: 18, held: 1204, rejected: 170 },
    last_run: lastRun(
      "iru_apps",
      41_000,
      "Guard many_removals: 412,000 of 4,987,100 rows would be removed, more than 5 %. Lift it for one run if that is right.",
      counts(4_987_100, {
        processed: 120_345,
        error: 243,
        held: 1204,
        rejected: 170,
        ignored: 88,
        skipped: 12,
        removed: 412_000,
      }),
    ),
    last_success_at: iso(180_000),
    period_s: 86_400,
  },
];
const overview = (mode) => ({
  now: iso(0),
  feeds:
    mode === "empty"
      ? feeds().map((f) => ({
          ...f,
          light: "grey",
          why: ["No run has been settled yet."],
          in_iru: null,
          in_ledger: { rows: 0 },
          in_servicenow: null,
          difference: null,
          unconfirmed: { n: 0, oldest_s: null, newest_s: null },
          stuck: { refused: 0, parked: 0, held: 0, rejected: 0 },
          last_run: null,
          last_success_at: null,
        }))
      : feeds(),
  waiting_changes: mode === "empty" ? null : { n: 3, oldest_s: 42, newest_s: 4 },
  quotas:
    mode === "empty"
      ? []
      : [
          {
            service: "iru",
            limit: 10_000,
            used: 1712,
            share: 0.1712,
            at: iso(95),
            says: "A whole run of the apps by pages would take 1,663 requests.",
          },
          {
            service: "servicenow",
            limit: null,
            used: null,
            share: null,
            at: null,
            says: "This instance tells no rate limit.",
          },
        ],
});

const runs = Array.from({ length: 70 }, (_, i) => {
  const isApps = i % 6 === 5,
    isWhole = isApps || i % 3 === 0,
    failed = i % 11 === 4;
  const sent = failed ? 0 : isApps ? 120_688 - i * 311 : isWhole ? 253 : 1 + (i % 9);
  const c = isApps
    ? {
        apps: counts(
          4_987_100,
          failed
            ? { held: 1204, rejected: 170 }
            : { processed: sent - 331, error: 243, ignored: 88, held: 1204, rejected: 170 },
        ),
      }
    : {
        computer: counts(
          isWhole ? 49_874 : sent,
          failed
            ? {}
            : { updated: Math.min(sent, isWhole ? 241 : sent), ...(isWhole ? { inserted: 12, rejected: 3 } : {}) },
        ),
        mdm: counts(isWhole ? 49_874 : sent, failed ? {} : isWhole ? { inserted: 12, error: 14, held: 31 } : {}),
      };
  const ended = 95 + i * 1900;
  return {
    dag_id: isApps ? "iru_apps" : "iru_devices",
    run_id: `scheduled__${iso(ended).slice(0, 19)}+00:00`,
    flow: isApps ? "apps" : "devices",
    mode: i === 7 ? "plan" : "load",
    is_whole: isWhole,
    began_at: iso(ended + 60),
    ended_at: iso(ended),
    failed: failed ? "Guard many_changes: 30,000 of 49,874 rows would change, more than 20 %." : "",
    feeds: c,
    rows_sent: sent,
    load_s: sent / 310 + 2,
    rows_per_s: sent > 50 ? 297.4 - i : null,
    requests: { iru: isApps ? 1668 : isWhole ? 167 : 2, servicenow: sent ? 12 + Math.ceil(sent / 250) : 0 },
    retries: i % 4,
    latency: isWhole ? null : { n: sent, p50_s: 8.2 + i / 20, p95_s: 19.6 + i / 9 },
    import_sets: sent
      ? isApps
        ? Array.from({ length: 9 }, (_, k) => ({ feed: "apps", ...set(i * 10 + k) }))
        : [{ feed: "computer", ...set(i * 10) }]
      : [],
    report_url: `/iru-servicenow/runs/${isApps ? "iru_apps" : "iru_devices"}/r${i}/report.html`,
  };
});
const day = (back) => iso(back * 86_400).slice(0, 10);
const days = (n) =>
  Array.from({ length: n }, (_, i) => n - 1 - i).flatMap((back) => [
    {
      day: day(back),
      feed: "computer",
      runs: 24,
      failed: back % 9 === 0 ? 1 : 0,
      counts: counts(1_197_000, { updated: 3000 + ((back * 733) % 2900), inserted: (back * 37) % 310, rejected: 3 }),
    },
    {
      day: day(back),
      feed: "mdm",
      runs: 24,
      failed: 0,
      counts: counts(1_197_000, {
        updated: 200 + ((back * 91) % 330),
        inserted: (back * 37) % 310,
        error: (back * 5) % 40,
        held: (back * 11) % 70,
      }),
    },
    {
      day: day(back),
      feed: "apps",
      runs: 1,
      failed: back === 0 ? 1 : 0,
      counts: counts(4_987_100, {
        processed: back === 0 ? 0 : 9000 + ((back * 2311) % 14_000),
        error: 243,
        held: 1204,
        rejected: 170,
        removed: (back * 173) % 2400,
      }),
    },
  ]);
const latency = (n) =>
  Array.from({ length: n }, (_, i) => ({
    day: day(n - 1 - i),
    n: 40 + i,
    p50_s: 7.5 + (i % 5),
    p95_s: 17 + ((i * 3) % 14),
  }));

const MESSAGES = [
  "Row transform ignored: Unable to resolve reference: installed_on",
  "Data Policy Exception: The following fields are read only: assigned_to",
  "Operation against file 'cmdb_ci_computer' was aborted by Business Rule 'Validate serial^0123456789abcdef'. Error: " +
    HOSTILE[0],
  "serial_number: is empty, and it is required",
  "the computer is not in ServiceNow yet",
];
const orders = [];
const ids = { refused: 14, parked: 20, held: 130, rejected: 173 };
const stuckRow = (kind, i, mode) => {
  const feed = kind === "rejected" ? "apps" : pick(["mdm", "apps"], i);
  const key = feed === "mdm" ? `dev-${i}\x1fblueprint-${i % 4}` : `k${kind}${i}`;
  const open = orders.find((o) => o.key === key && o.state === "open");
  return {
    feed,
    key,
    key_shown: key.replaceAll("\x1f", " / "),
    kind,
    verdict: kind === "refused" || kind === "parked" ? "error" : kind,
    serial_number: kind === "rejected" ? "" : `C02XK${1000 + i}JG5H`,
    device_id: kind === "rejected" ? null : `dev-${i}`,
    name: i % 5 === 2 ? pick(HOSTILE, Math.floor(i / 5)) : feed === "mdm" ? `Mac of user ${i}` : `Application ${i}`,
    message: pick(MESSAGES, kind === "rejected" ? 3 : kind === "held" ? 4 : i % 3),
    attempts: kind === "refused" ? 1 + (i % 4) : kind === "parked" ? 5 : 0,
    since: iso(190 + i * 3600),
    run_id: runs[i % 20].run_id,
    dag_id: feed === "apps" ? "iru_apps" : "iru_devices",
    open_order: open ? { action: open.action, ordered_by: open.ordered_by, ordered_at: open.ordered_at } : null,
    may_order:
      mode === "reader" || kind === "rejected" || kind === "held"
        ? []
        : kind === "parked"
          ? ["release"]
          : kind === "refused"
            ? ["park", "resend"]
            : ["park"],
  };
};
const stuck = (body, mode) =>
  Array.from({ length: mode === "empty" ? 0 : (ids[body.kind] ?? 0) }, (_, i) => stuckRow(body.kind, i, mode)).filter(
    (r) =>
      (!body.feed || r.feed === body.feed) &&
      (!body.verdict || r.verdict === body.verdict) &&
      (!body.search || JSON.stringify(r).toLowerCase().includes(body.search.toLowerCase())),
  );
const page = (rows, cursor, limit = 50) => {
  const at = Number(cursor ?? 0);
  return {
    rows: rows.slice(at, at + limit),
    next: at + limit < rows.length ? String(at + limit) : null,
    total: { n: rows.length, is_exact: rows.length < 1000 },
  };
};
const COLUMNS = [
  ["assigned_user", "Assigned user", "assigned_to.email"],
  ["device_capacity", "Device capacity", "disk_space"],
  ["device_name", "Device name", "name"],
  ["model_name", "Model name", "model.name"],
  ["os_version", "OS version", "os_version"],
  ["serial_number", "Serial number", "serial_number"],
].map(([column, label, target]) => ({ column, label, target }));
const values = (i) => ({
  assigned_user: `user${i}@example.com`,
  device_capacity: "512",
  device_name: i % 5 === 2 ? HOSTILE[3] : `Mac of user ${i}`,
  model_name: pick(MODELS, i),
  os_version: "26.1",
  serial_number: `C02XK${1000 + i}JG5H`,
});
const history = (n) =>
  Array.from({ length: n }, (_, i) => ({
    feed: pick(["computer", "mdm", "apps"], i),
    key: `k${i}`,
    key_shown: `k${i}`,
    name: pick(["Mac of user", ...HOSTILE], i),
    verdict: pick(["error", "updated", "inserted", "rejected", "held"], i),
    message: i % 5 === 0 ? MESSAGES[2] : "",
    at: iso(i * 86_400 + 300),
    run_id: runs[i % 40].run_id,
    dag_id: "iru_devices",
    import_set: i % 2 ? null : set(i),
    is_present: true,
  }));
const device = (i) => ({
  device_id: i === 4 ? null : `dev-${i}`,
  serial_number: `C02XK${1000 + i}JG5H`,
  name: i % 9 === 2 ? pick(HOSTILE, i) : `Mac of user ${i}`,
  model: pick(MODELS, i),
  os_type: pick(["macOS", "macOS", "macOS", "macOS", "iPadOS", "iOS", "tvOS"], i),
  os_version: pick(["26.1", "26.0.1", "15.7.2"], i),
  is_active: i % 13 !== 6,
  verdict: pick(["updated", "inserted", "unchanged", "error"], i),
  confirmed_at: i % 17 === 3 ? null : iso(i * 977 + 60),
  apps: 60 + ((i * 31) % 90),
});
const deviceAll = (i, asked) => {
  const v = values(i);
  const fields = COLUMNS.map((c, k) => ({
    ...c,
    iru: k === 4 ? "26.2" : v[c.column],
    sent: v[c.column],
    ledger: k === 0 ? "" : v[c.column],
    servicenow: asked ? (k === 4 ? "26.1" : v[c.column]) : null,
    state: asked ? (k === 4 ? "differs" : "same") : k === 4 ? "differs" : "unknown",
  }));
  const feed = (name) => ({
    feed: name,
    key: v.serial_number,
    key_shown: v.serial_number,
    verdict: name === "mdm" ? "error" : "updated",
    message: name === "mdm" ? MESSAGES[1] : "",
    attempts: name === "mdm" ? 2 : 0,
    confirmed_at: iso(4000),
    tried_at: iso(95),
    run_id: runs[0].run_id,
    dag_id: "iru_devices",
    import_set: set(3),
    fields: name === "mdm" ? fields.slice(4) : fields,
    iru_at: iso(asked ? 0 : 95),
    servicenow_at: asked ? iso(0) : null,
  });
  return { device: device(i), feeds: [feed("computer"), feed("mdm")], waiting: [stuckRow("refused", i)] };
};
const app = (i) => ({
  key: `app${i}`,
  name: i < 6 ? HOSTILE[i] : `Application ${i}`,
  publisher: i % 4 ? `Publisher ${i % 7}` : "",
  version: `${i}.0.${i % 3}`,
  path: `/Applications/${i < 6 ? HOSTILE[i] : `Application ${i}`}.app`,
  last_opened: i % 3 ? iso(i * 86_400 * 3) : null,
  active: i % 8 !== 5,
  verdict: "processed",
  message: i === 4 ? MESSAGES[0] : "",
  confirmed_at: iso(40_000),
  unconfirmed: i === 4,
});
const fact = (list) => list.map(([value, devices]) => ({ value, devices }));
const fleet = (mode) =>
  mode === "empty"
    ? {
        as_of: null,
        devices: 0,
        facts: { os_type: [], os_version: [], model: [], capacity: [] },
        apps: {
          as_of: null,
          titles: 0,
          installs: 0,
          never_opened: 0,
          unused_30: 0,
          unused_90: 0,
          unused_180: 0,
          tells_usage: false,
        },
      }
    : {
        as_of: iso(1240),
        devices: 49_871,
        facts: {
          os_type: fact([
            ["macOS", 41_200],
            ["iOS", 5100],
            ["iPadOS", 3300],
            ["tvOS", 271],
          ]),
          os_version: fact([
            ["macOS 26.1", 21_002],
            ["macOS 26.0.1", 9022],
            ["macOS 15.7.2", 7011],
            ["iOS 26.1", 4800],
            ["iPadOS 26.1", 3100],
            ["macOS 14.8", 2400],
            ["macOS 13.7.8", 1765],
            ["iOS 18.7", 300],
            ["tvOS 26.1", 271],
            ["other", 200],
          ]),
          model: fact([...MODELS.map((m, i) => [m, 17_000 - i * 2311]), ["other", 3100]]),
          capacity: fact([
            ["64 GB", 2100],
            ["128 GB", 3211],
            ["256 GB", 15_200],
            ["512 GB", 21_300],
            ["1 TB", 7100],
            ["2 TB", 860],
            ["not told", 100],
          ]),
        },
        apps: {
          as_of: iso(180_000),
          titles: 4123,
          installs: 4_980_231,
          never_opened: 210_000,
          unused_30: 1_410_000,
          unused_90: 910_000,
          unused_180: 520_000,
          tells_usage: mode !== "reader",
        },
      };
const title = (i) => ({
  title_id: `t${i}`,
  name: i > 1 && i < 8 ? HOSTILE[i - 2] : `Application ${i}`,
  publisher: `Publisher ${i % 7}`,
  installs: 49_000 - i * 311,
  devices: 48_900 - i * 311,
  versions: 1 + (i % 9),
  top_version: `${i}.2.1`,
  never_opened: i * 21,
  unused_30: 9000 + i * 17,
  unused_90: 4000 + i * 13,
  unused_180: 1200 + i * 7,
  newest_opened: i % 6 ? iso(i * 7000) : null,
});
const setup = [
  {
    check: "oauth",
    part: "ServiceNow",
    question: "Does the sign-in work?",
    state: "ok",
    seen: "A token for 30 minutes.",
    to_do: "",
    loses_data: false,
  },
  {
    check: "staging_columns",
    part: "ServiceNow",
    question: "Does the staging table of the apps have every column?",
    state: "wrong",
    seen: "x_kandj_kandji_kandji_import_set_apps lacks last_opened.",
    to_do: "Add the column last_opened (String, 40) to the staging table, or take it out of the mapping.",
    loses_data: true,
  },
  {
    check: "coalesce",
    part: "ServiceNow",
    question: "Which fields does the transform map coalesce on?",
    state: "cannot_tell",
    seen: "sys_transform_entry may not be read by the account.",
    to_do: "Give the account the right to read it, or look yourself.",
    loses_data: false,
  },
  {
    check: "token",
    part: "Iru",
    question: "May the token read devices, Prism and the audit log?",
    state: "ok",
    seen: "All three answer.",
    to_do: "",
    loses_data: false,
  },
];

const ROUTES = [
  ["GET", /\/api\/pairs$/, ({ mode }) => pairs(mode)],
  ["GET", /\/overview$/, ({ mode }) => overview(mode)],
  [
    "GET",
    /\/runs$/,
    ({ mode, q }) =>
      page(mode === "empty" ? [] : runs.filter((r) => !q.flow || r.flow === q.flow), q.cursor, Number(q.limit)),
  ],
  [
    "GET",
    /\/days$/,
    ({ mode, q }) => ({ days: mode === "empty" ? [] : mode === "pairs" ? days(1) : days(Number(q.days)) }),
  ],
  [
    "GET",
    /\/latency$/,
    ({ mode, q }) => ({ days: mode === "empty" ? [] : latency(mode === "pairs" ? 1 : Number(q.days)) }),
  ],
  ["POST", /\/stuck$/, ({ mode, body }) => page(stuck(body, mode), body.cursor, body.limit)],
  [
    "GET",
    /\/stuck\/summary$/,
    ({ mode }) => ({
      groups:
        mode === "empty"
          ? []
          : Object.keys(ids)
              .flatMap((kind) => {
                const sums = new Map();
                for (const r of stuck({ kind })) {
                  const k = JSON.stringify([r.feed, r.verdict, r.message]);
                  sums.set(k, (sums.get(k) ?? 0) + 1);
                }
                return [...sums].map(([k, n]) => {
                  const [feed, verdict, message] = JSON.parse(k);
                  return { kind, feed, verdict, message, n };
                });
              })
              .sort((a, b) => b.n - a.n),
    }),
  ],
  [
    "POST",
    /\/stuck\/row$/,
    ({ body, mode }) => {
      const i = Number(/\d+/.exec(body.key)?.[0] ?? 0);
      return {
        ...stuckRow("refused", i, mode),
        sent: values(i),
        confirmed: { ...values(i), os_version: "26.0.1" },
        columns: COLUMNS,
        import_set: set(i),
        orders: orders.filter((o) => o.key === body.key),
        history: history(4),
      };
    },
  ],
  [
    "POST",
    /\/orders$/,
    ({ body }) => {
      for (const key of body.keys)
        orders.unshift({
          order_id: orders.length + 1,
          feed: body.feed,
          key,
          action: body.action,
          ordered_by: "admin",
          ordered_at: iso(0),
          reason: body.reason,
          state: "open",
          run_id: null,
          done_at: null,
        });
      return { placed: body.keys.length, starts_with: body.feed === "apps" ? "iru_apps" : "iru_devices" };
    },
  ],
  [
    "GET",
    /\/orders$/,
    ({ mode, q }) =>
      page(
        mode === "empty"
          ? []
          : [
              ...orders,
              {
                order_id: 9001,
                feed: "mdm",
                key: "dev-77\x1fblueprint-2",
                action: "release",
                ordered_by: "grace",
                ordered_at: iso(90_000),
                reason: "The reference to the computer was mended, INC0012345",
                state: "done",
                run_id: runs[3].run_id,
                done_at: iso(88_000),
              },
            ],
        q.cursor,
        25,
      ),
  ],
  [
    "POST",
    /\/devices$/,
    ({ mode, body }) =>
      page(
        mode === "empty"
          ? []
          : Array.from({ length: 1200 }, (_, i) => device(i)).filter(
              (d) => !body.search || JSON.stringify(d).toLowerCase().includes(body.search.toLowerCase()),
            ),
        body.cursor,
        body.limit,
      ),
  ],
  [
    "POST",
    /\/devices\/dev-(\d+)\/ask$/,
    ({ m, mode }) =>
      mode === "errors"
        ? { "!": 502, detail: "Iru did not answer within 10 s. Try again in a minute." }
        : deviceAll(Number(m[1]), true),
  ],
  [
    "GET",
    /\/devices\/dev-(\d+)\/apps$/,
    ({ q }) =>
      page(
        Array.from({ length: 90 }, (_, i) => app(i)).filter((a) => q.active === "all" || String(a.active) === q.active),
        q.cursor,
        Number(q.limit),
      ),
  ],
  ["GET", /\/devices\/dev-(\d+)\/history$/, ({ q }) => page(history(40), q.cursor, Number(q.limit))],
  ["GET", /\/devices\/dev-(\d+)$/, ({ m }) => deviceAll(Number(m[1]), false)],
  ["GET", /\/fleet$/, ({ mode }) => fleet(mode)],
  [
    "POST",
    /\/titles$/,
    ({ mode, body }) =>
      page(
        mode === "empty"
          ? []
          : Array.from({ length: 140 }, (_, i) => title(i)).filter(
              (t) => !body.search || JSON.stringify(t).toLowerCase().includes(body.search.toLowerCase()),
            ),
        body.cursor,
        body.limit,
      ),
  ],
  [
    "GET",
    /\/setup$/,
    ({ mode }) =>
      mode === "empty"
        ? { dag_id: "iru_servicenow_preflight", run_id: null, at: null, findings: [] }
        : { dag_id: "iru_servicenow_preflight", run_id: "manual__1", at: iso(86_400 * 3), findings: setup },
  ],
  [
    "GET",
    /\/api\/v2\/dags\/([^/]+)$/,
    ({ m }) => ({ next_dagrun_run_after: iso(-1800), is_paused: m[1] === "iru_apps" }),
  ],
  [
    "POST",
    /\/dagRuns$/,
    ({ mode }) =>
      mode === "reader" ? { "!": 403, detail: "Forbidden" } : { dag_run_id: "manual__2026-11-27T02:00:00+00:00" },
  ],
];

export function answer(method, url, body, mode) {
  if (mode === "errors" && !/\/pairs$|\/devices\/dev-\d+/.test(url.pathname))
    return { status: 503, body: { detail: "The ledger's database did not answer within 2 s. Try again in a moment." } };
  if (url.pathname.endsWith("/download"))
    return {
      body: "a,b\n1,2\n",
      headers: { "Content-Disposition": `attachment; filename="${body.table}.${body.format}"`, "X-Rows-Left-Out": "0" },
    };
  for (const [verb, pattern, make] of ROUTES) {
    const m = pattern.exec(decodeURIComponent(url.pathname));
    if (verb !== method || !m) continue;
    const made = make({ m, q: Object.fromEntries(url.searchParams), body, mode });
    return made["!"] ? { status: made["!"], body: { detail: made.detail } } : { body: made };
  }
  return { status: 404, body: { detail: "There is no such route in the mock." } };
}
