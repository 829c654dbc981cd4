/** Hash routes: `#/overview`, `#/stuck?kind=refused&feed=apps`, `#/devices/<id>`, each also as `#/p/<pair>/...`. */

export const VIEWS = ["overview", "runs", "stuck", "devices", "fleet", "setup"] as const;
export type View = (typeof VIEWS)[number];

/** `id` is Iru's device id on the devices view; `query` never holds free text. */
export type Route = { pair: string | null; view: View; id: string | null; query: Record<string, string> };

/** What may stand in a route's query, and how it looks: nothing that somebody typed. */
const QUERY: Record<string, RegExp> = {
  kind: /^(refused|parked|held|rejected)$/,
  feed: /^[\w-]{1,64}$/,
  flow: /^(devices|apps)$/,
  days: /^(7|30|90|366)$/,
  tab: /^[a-z]{1,16}$/,
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
};

/** Read a hash; whatever is unknown in it falls back to the overview or is dropped. */
export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  const pair = parts[0] === "p" && parts[1] ? parts[1] : null;
  const [view, id] = pair === null ? parts : parts.slice(2);
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) {
    if (QUERY[name]?.test(value)) query[name] = value;
  }
  const known = VIEWS.find((name) => name === view);
  return { pair, view: known ?? "overview", id: known === "devices" && id ? id : null, query };
}

/** Write a route as a hash. */
export function format(route: Partial<Route>): string {
  const { pair = null, view = "overview", id = null, query = {} } = route;
  const path = [...(pair === null ? [] : ["p", pair]), view, ...(id === null ? [] : [id])]
    .map(encodeURIComponent)
    .join("/");
  const kept = Object.entries(query).filter(([name, value]) => QUERY[name]?.test(value));
  const search = new URLSearchParams(kept).toString();
  return `#/${path}${search && `?${search}`}`;
}

export const isRoute = (hash: string): boolean => hash.startsWith("#/");
