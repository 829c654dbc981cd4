/** Words, routes and errors: what the views rely on. */

import { expect, test } from "vitest";
import { fileName, path, query, sentence } from "../src/lib/api";
import { ago, dayShown, duration, percent, plain, signed } from "../src/lib/format";
import { format, isRoute, parse, type Route } from "../src/lib/route";
import { hindrance } from "../src/parts/Order";
import type { StuckRow } from "../src/lib/types";
import { sumDays } from "../src/lib/days";

test("durations are in words that a person says", () => {
  const seconds = [0, 2.84, 95, 119.6, 3599, 3600, 7500, 86_400, 172_800, 86_400 * 75];
  expect(seconds.map(duration)).toEqual([
    "0 s",
    "2.8 s",
    "95 s",
    "2 min",
    "1 h",
    "1 h",
    "2 h 5 min",
    "24 h",
    "2 days",
    "2 months",
  ]);
});

test("times are told against now, past and future, and nonsense is shown as it is", () => {
  const now = Date.parse("2026-11-27T02:00:00Z");
  expect(ago("2026-11-27T01:57:00Z", now)).toBe("3 min ago");
  expect(ago("2026-11-27T02:30:00Z", now)).toBe("in 30 min");
  expect(ago("2026-11-27T01:59:58Z", now)).toBe("just now");
  expect(ago("never", now)).toBe("never");
});

test("a day is not moved into its neighbour by the reader's zone", () => {
  expect(dayShown("2026-11-01")).toContain("1");
  expect(dayShown("2026-11-01")).not.toContain("31");
});

test("small shares do not read as nothing and signs are told", () => {
  expect([0, 0.001, 0.17, 0.999, 1].map(percent)).toEqual(["0 %", "under 1 %", "17 %", "over 99 %", "100 %"]);
  expect([-16, 0, 3].map(signed)).toEqual(["−16", "0", "+3"]);
});

test("a name cannot turn the direction of what follows", () => {
  expect(plain("\u202egnp.exe\u0007\n")).toBe("\ufffdgnp.exe\ufffd\n");
});

test("routes are read back as they were written", () => {
  const routes: Route[] = [
    { pair: null, view: "overview", id: null, query: {} },
    { pair: "emea", view: "stuck", id: null, query: { kind: "refused", feed: "apps" } },
    { pair: "-", view: "devices", id: "a/b c", query: { tab: "apps" } },
  ];
  for (const route of routes) expect(parse(format(route))).toEqual(route);
});

test("unknown routes are the overview, and what somebody typed never stays in a route", () => {
  expect(parse("#/nonsense/x").view).toBe("overview");
  expect(parse("#/%E0%A4%A").view).toBe("overview");
  expect(parse("#/stuck?search=C02XK&kind=all&feed=a b").query).toEqual({});
  expect(format({ view: "stuck", query: { search: "grace@example.com", kind: "held" } })).toBe("#/stuck?kind=held");
  expect(isRoute("#section")).toBe(false);
});

test("errors say the server's sentence, or one of ours", () => {
  expect(sentence({ detail: "The database is away." }, 503)).toBe("The database is away.");
  expect(sentence({ detail: [{ msg: "Input should be less" }, { msg: "Field required" }] }, 422)).toBe(
    "Input should be less; Field required.",
  );
  expect(sentence(null, 401)).toContain("sign in");
  expect(sentence("<html>", 500)).toContain("500");
});

test("paths and queries are escaped, and empty values are left out", () => {
  expect(path("-", "devices", "a/../b")).toBe("/-/devices/a%2F..%2Fb");
  expect(query({ cursor: null, limit: 5, flow: "a&b" })).toBe("?limit=5&flow=a%26b");
  expect(query({ cursor: null })).toBe("");
});

test("a file's name comes from the server, without a path", () => {
  expect(fileName('attachment; filename="stuck.csv"', "x")).toBe("stuck.csv");
  expect(fileName('attachment; filename="../../x.csv"', "x")).toBe(".._.._x.csv");
  expect(fileName(null, "x.csv")).toBe("x.csv");
});

test("days are summed over feeds, or of one feed alone", () => {
  const counts = { updated: 1 } as never;
  const days = [
    { day: "2026-11-02", feed: "a", runs: 1, failed: 0, counts },
    { day: "2026-11-01", feed: "b", runs: 1, failed: 0, counts },
    { day: "2026-11-02", feed: "b", runs: 1, failed: 0, counts },
  ];
  expect(sumDays(days, "").map(({ day, counts: { updated } }) => [day, updated])).toEqual([
    ["2026-11-01", 1],
    ["2026-11-02", 2],
  ]);
  expect(sumDays(days, "a")).toHaveLength(1);
});

test("a button that is off says why", () => {
  const row = { feed: "apps", may_order: ["park"] } as unknown as StuckRow;
  const flow = () => "apps" as const;
  expect(hindrance([row], "park", { devices: false, apps: false }, flow)).toContain("not start runs");
  expect(hindrance([], "park", { devices: true, apps: true }, flow)).toBe("Choose rows first.");
  expect(hindrance([row], "park", { devices: true, apps: false }, flow)).toContain("this feed");
  expect(hindrance([row], "release", { devices: true, apps: true }, flow)).toBe(
    "None of the chosen rows can be released.",
  );
  expect(hindrance([row], "park", { devices: true, apps: true }, flow)).toBeNull();
});
