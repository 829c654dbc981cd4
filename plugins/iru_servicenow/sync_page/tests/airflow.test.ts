/** The page in Airflow's window: theme, deep links and ways out, against windows that are as small as the questions. */

import { afterEach, expect, test, vi } from "vitest";
import {
  airflowRoot,
  airflowWindow,
  currentTheme,
  joinHashes,
  openInAirflow,
  openOutside,
  runPath,
} from "../src/lib/airflow";

type Anchor = { href: string; attributes: Record<string, string>; clicked: boolean };

function frame(hash: string, classes: string[] = []) {
  const anchors: Anchor[] = [];
  const location = {
    origin: "http://airflow",
    href: `http://airflow/plugin/x${hash}`,
    pathname: "/plugin/x",
    search: "",
    hash,
    replaced: "",
    assigned: "",
    replace(to: string) {
      this.replaced = to;
      this.hash = to;
    },
    assign(to: string) {
      this.assigned = to;
    },
  };
  const history = {
    state: { idx: 3 },
    calls: [] as unknown[][],
    replaceState(...call: unknown[]) {
      this.calls.push(["replace", ...call]);
      location.hash = String(call[2]).replace(/^[^#]*/, "");
    },
    pushState(...call: unknown[]) {
      this.calls.push(["push", ...call]);
    },
  };
  const document = {
    documentElement: { classList: { contains: (name: string) => classes.includes(name) } },
    body: { append() {} },
    createElement: () => {
      const anchor = {
        href: "",
        attributes: {} as Record<string, string>,
        clicked: false,
        style: {},
        setAttribute(k: string, v: string) {
          anchor.attributes[k] = v;
        },
        click() {
          anchor.clicked = true;
          anchors.push(anchor);
        },
        remove() {},
      };
      return anchor;
    },
  };
  class PopStateEvent extends Event {
    state: unknown;
    constructor(type: string, init: { state: unknown }) {
      super(type);
      this.state = init.state;
    }
  }
  return Object.assign(new EventTarget(), {
    location,
    history,
    document,
    anchors,
    PopStateEvent,
    localStorage: { getItem: (): string | null => null },
    matchMedia: () => ({ matches: false }),
  });
}
type Frame = ReturnType<typeof frame> & { parent: unknown };

function pair(
  own: string,
  parents: string,
  classes: string[] = [],
): { self: Window; inner: Frame; outer: ReturnType<typeof frame> } {
  const outer = frame(parents, classes);
  const inner = Object.assign(frame(own), { parent: outer }) as Frame;
  return { self: inner as unknown as Window, inner, outer };
}
const alone = (hash = "") => {
  const inner = frame(hash) as Frame;
  inner.parent = inner;
  return { self: inner as unknown as Window, inner };
};
const ours = (hash: string) => hash.startsWith("#/");
afterEach(() => vi.restoreAllMocks());

test("a foreign frame around the page is not taken for Airflow", () => {
  const { self, inner, outer } = pair("", "");
  expect(airflowWindow(self)).toBe(outer);
  outer.location.origin = "http://elsewhere";
  expect(airflowWindow(self)).toBeNull();
  inner.parent = {
    get location() {
      throw new Error("cross-origin");
    },
  };
  expect(airflowWindow(self)).toBeNull();
});

test("the theme is Airflow's, else the stored one, else the system's", () => {
  expect(currentTheme(pair("", "", ["dark"]).self)).toBe("dark");
  expect(currentTheme(pair("", "", ["light"]).self)).toBe("light");
  const { self, inner } = alone();
  expect(currentTheme(self)).toBe("light");
  inner.localStorage.getItem = () => "dark";
  expect(currentTheme(self)).toBe("dark");
  inner.localStorage.getItem = () => {
    throw new Error("forbidden");
  };
  inner.matchMedia = () => ({ matches: true });
  expect(currentTheme(self)).toBe("dark");
});

test("the parent's hash wins at the start, and ours is mirrored without losing the router's state", () => {
  const { self, inner, outer } = pair("#/overview", "#/stuck?kind=held");
  joinHashes(ours, self);
  expect(inner.location.hash).toBe("#/stuck?kind=held");
  inner.location.hash = "#/runs";
  inner.dispatchEvent(new Event("hashchange"));
  expect(outer.history.calls).toEqual([["replace", { idx: 3 }, "", "/plugin/x#/runs"]]);
  outer.location.hash = "#/fleet";
  outer.dispatchEvent(new Event("hashchange"));
  expect(inner.location.hash).toBe("#/fleet");
  outer.location.pathname = "/dags/iru_apps";
  inner.location.hash = "#/setup";
  inner.dispatchEvent(new Event("hashchange"));
  expect(outer.history.calls).toHaveLength(1);
});

test("a hash that is not a route of ours is left alone, and a page that has gone no longer listens", () => {
  const { self, inner, outer } = pair("#/overview", "#section");
  joinHashes(ours, self);
  expect(inner.location.replaced).toBe("");
  inner.dispatchEvent(new Event("pagehide"));
  outer.location.hash = "#/fleet";
  outer.dispatchEvent(new Event("hashchange"));
  expect(inner.location.replaced).toBe("");
});

test("a page of Airflow is opened by Airflow's router, or by ourselves when alone", () => {
  const { self, outer } = pair("", "");
  const heard: string[] = [];
  outer.addEventListener("popstate", () => heard.push("popstate"));
  openInAirflow("/dags/d/runs/r", self);
  expect(outer.history.calls[0]?.slice(0, 1)).toEqual(["push"]);
  expect(outer.history.calls[0]?.[3]).toBe("/dags/d/runs/r");
  expect(outer.history.calls[0]?.[1]).toMatchObject({ idx: 4 });
  expect(heard).toEqual(["popstate"]);
  const { self: lone, inner } = alone();
  openInAirflow("/dags/d", lone);
  expect(inner.location.assigned).toBe("/dags/d");
});

test("where the parent's history refuses, an anchor in its document goes there", () => {
  const { self, outer } = pair("", "");
  outer.history.pushState = () => {
    throw new Error("refused");
  };
  openInAirflow("/dags/d", self);
  expect(outer.anchors).toMatchObject([{ href: "/dags/d", clicked: true, attributes: {} }]);
});

test("outside pages open in a tab of their own that knows nothing of us; other schemes do not open", () => {
  const { self, outer } = pair("", "");
  openOutside("https://dev.service-now.com/x", self);
  openOutside("javascript:alert(1)", self);
  openOutside("data:text/html,x", self);
  expect(outer.anchors).toMatchObject([
    { href: "https://dev.service-now.com/x", attributes: { target: "_blank", rel: "noopener noreferrer" } },
  ]);
});

test("Airflow may live below a prefix, and run ids hold colons and slashes", () => {
  expect(airflowRoot("/iru-servicenow/page/")).toBe("");
  expect(airflowRoot("/team/a/iru-servicenow/page/index.html")).toBe("/team/a");
  expect(runPath("iru_apps", "scheduled__2026-11-27T02:00:00+00:00/x", "/a")).toBe(
    "/a/dags/iru_apps/runs/scheduled__2026-11-27T02%3A00%3A00%2B00%3A00%2Fx",
  );
});
