/**
 * The page inside Airflow's window. Airflow 3.3 shows it in an iframe that may run scripts and has Airflow's own origin, but may
 * neither open windows nor navigate the top; whatever needs that is done in the parent's document. Standalone, the same calls work.
 */

export type Theme = "light" | "dark";

/** The window around us, if it is Airflow's (same origin); null when the page stands alone. */
export function airflowWindow(self: Window = window): Window | null {
  try {
    return self.parent !== self && self.parent.location.origin === self.location.origin ? self.parent : null;
  } catch {
    return null; // a foreign frame around us: reading its location is forbidden
  }
}

/** Where Airflow lives: what stands before `/iru-servicenow/` in our own path, without a slash at its end. */
export function airflowRoot(pathname: string = window.location.pathname): string {
  const at = pathname.lastIndexOf("/iru-servicenow/");
  return at < 0 ? "" : pathname.slice(0, at);
}

/** Airflow's page of a run. */
export const runPath = (dagId: string, runId: string, root: string = airflowRoot()): string =>
  `${root}/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`;

/** Airflow's page of a DAG. */
export const dagPath = (dagId: string, root: string = airflowRoot()): string =>
  `${root}/dags/${encodeURIComponent(dagId)}`;

/** The theme that Airflow shows now; alone, the one that its switch left behind, else the system's. */
export function currentTheme(self: Window = window): Theme {
  const classes = airflowWindow(self)?.document.documentElement.classList;
  if (classes?.contains("dark")) return "dark";
  if (classes?.contains("light")) return "light";
  let stored: string | null = null;
  try {
    stored = self.localStorage.getItem("theme");
  } catch {
    stored = null; // storage may be forbidden
  }
  if (stored === "dark" || stored === "light") return stored;
  return self.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Call back whenever the theme may have changed; returns how to stop. */
export function onTheme(changed: () => void, self: Window = window): () => void {
  const parent = airflowWindow(self);
  const observer = parent && new MutationObserver(changed);
  observer?.observe(parent!.document.documentElement, { attributes: true, attributeFilter: ["class"] });
  const media = self.matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", changed);
  self.addEventListener("storage", changed);
  return () => {
    observer?.disconnect();
    media.removeEventListener("change", changed);
    self.removeEventListener("storage", changed);
  };
}

/**
 * Keep our hash and the parent's the same, so that Airflow's address is a deep link. The parent's wins at the start; afterwards
 * ours is mirrored without an entry of its own in the history, for as long as the parent shows a plugin's page. Must run before the
 * page's load event: Airflow 3.3 then writes our whole location behind its own path, and reads it from there the next time.
 */
export function joinHashes(isOurs: (hash: string) => boolean, self: Window = window): () => void {
  const parent = airflowWindow(self);
  if (parent === null) return () => undefined;
  const take = () => {
    const hash = parent.location.hash;
    if (isOurs(hash) && hash !== self.location.hash) self.location.replace(hash);
  };
  const mirror = () => {
    if (parent.location.pathname.includes("/plugin/") && parent.location.hash !== self.location.hash) {
      const { pathname, search } = parent.location;
      parent.history.replaceState(parent.history.state, "", pathname + search + self.location.hash);
    }
  };
  take();
  self.addEventListener("hashchange", mirror);
  parent.addEventListener("hashchange", take);
  const stop = () => {
    self.removeEventListener("hashchange", mirror);
    parent.removeEventListener("hashchange", take);
  };
  self.addEventListener("pagehide", stop); // the parent outlives us
  return stop;
}

function clickIn(document: Document, href: string, attributes: Record<string, string>): void {
  const anchor = document.createElement("a");
  anchor.href = href;
  for (const [name, value] of Object.entries(attributes)) anchor.setAttribute(name, value);
  anchor.style.display = "none";
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

/** Go to a page of Airflow's own, by its router where that is around us. */
export function openInAirflow(path: string, self: Window = window): void {
  const parent = airflowWindow(self);
  if (parent === null) {
    self.location.assign(path);
    return;
  }
  try {
    // What Airflow's router (React Router) keeps of a place: its number in the history, and a key.
    const here = parent.history.state as { idx?: number } | null;
    const state = { usr: null, key: Math.random().toString(36).slice(2, 10), idx: (here?.idx ?? 0) + 1 };
    parent.history.pushState(state, "", path);
    // The parent's own class: its router asks only for the event's name, but a foreign realm's event is refused by some browsers.
    const Pop = (parent as Window & typeof globalThis).PopStateEvent;
    parent.dispatchEvent(new Pop("popstate", { state }));
  } catch {
    clickIn(parent.document, path, {});
  }
}

/** Open an address in a new tab; only http and https, whatever a server wrote there. */
export function openOutside(href: string, self: Window = window): void {
  const url = new URL(href, self.location.href);
  if (url.protocol !== "https:" && url.protocol !== "http:") return;
  clickIn((airflowWindow(self) ?? self).document, url.href, { target: "_blank", rel: "noopener noreferrer" });
}
