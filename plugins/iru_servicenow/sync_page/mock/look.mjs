/**
 * Looks at every view of the built page over the mock: screenshots into a folder, axe's serious findings, what the console says, and
 * whether anything is wider than the window. Usage: npm run build && npm run look -- /tmp/shots [view ...]
 */

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { preview } from "vite";

const [folder = "/tmp/shots", ...only] = process.argv.slice(2);
const VIEWS = {
  overview: "#/overview",
  runs: "#/runs",
  stuck: "#/stuck?kind=refused",
  held: "#/stuck?kind=held&feed=apps",
  devices: "#/devices",
  device: "#/devices/dev-2",
  apps: "#/devices/dev-2?tab=apps",
  history: "#/devices/dev-2?tab=history",
  fleet: "#/fleet",
  setup: "#/setup",
};
const MODES = { empty: "empty", errors: "errors", reader: "reader", pairs: "pairs" };
mkdirSync(folder, { recursive: true });
const server = await preview({ logLevel: "error", preview: { port: 0, host: "127.0.0.1" } });
const root = `http://127.0.0.1:${server.httpServer.address().port}`;
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let bad = 0;
const complain = (...words) => {
  bad += 1;
  console.log(...words);
};

async function look(name, url, { theme = "light", width = 1280, steps } = {}) {
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height: 900 },
    reducedMotion: "reduce",
    bypassCSP: false,
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !/status of 50/.test(message.text()))
      complain(name, "console:", message.text().slice(0, 300));
  });
  page.on("pageerror", (error) => complain(name, "page error:", String(error).slice(0, 300)));
  page.on("request", (request) => {
    if (!request.url().startsWith(root) && !request.url().startsWith("data:") && !request.url().startsWith("blob:"))
      complain(name, "asks elsewhere:", request.url());
  });
  await page.goto(url, { waitUntil: "networkidle" });
  await page.waitForTimeout(url.includes("mock=errors") ? 2500 : 300);
  if (steps) await steps(page);
  const { wide, found } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    found: document.querySelectorAll("main *").length,
  }));
  if (wide > 1) complain(name, `is ${wide} px wider than its window`);
  if (found < 3) complain(name, "is empty");
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  // The page's policy forbids foreign scripts, so axe comes through the debugger, which it does not bind.
  const session = await context.newCDPSession(page);
  const { readFileSync } = await import("node:fs");
  await session.send("Runtime.evaluate", { expression: readFileSync(axe, "utf-8") });
  const { result } = await session.send("Runtime.evaluate", {
    expression:
      "axe.run().then(r => JSON.stringify(r.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary.slice(0, 300)])))",
    awaitPromise: true,
    returnByValue: true,
  });
  for (const finding of JSON.parse(result.value)) complain(name, "axe:", ...finding);
  await context.close();
}

const wanted = (name) => only.length === 0 || only.some((part) => name.startsWith(part));
for (const [name, hash] of Object.entries(VIEWS)) {
  for (const theme of ["light", "dark"]) {
    for (const width of [1280, 380]) {
      const full = `${name}-${theme}-${width}`;
      if (wanted(full)) await look(full, `${root}/iru-servicenow/page/${hash}`, { theme, width });
    }
  }
}
for (const [name, mode] of Object.entries(MODES)) {
  for (const view of ["overview", "runs", "stuck", "devices", "fleet", "setup"]) {
    const full = `mode-${name}-${view}`;
    if (wanted(full)) await look(full, `${root}/iru-servicenow/page/?mock=${mode}${VIEWS[view]}`, {});
  }
}
const dialogs = {
  "dialog-row": async (page) => {
    await page
      .locator("main table button", { hasText: /user|Appl/ })
      .first()
      .click();
    await page.waitForTimeout(700);
  },
  "dialog-order": async (page) => {
    await page
      .getByLabel("Choose all rows of this page")
      .first()
      .evaluate((box) => box.click());
    await page.getByRole("button", { name: /^Resend/ }).click();
    await page.waitForTimeout(500);
  },
  "dialog-ordered": async (page) => {
    await page
      .getByLabel("Choose all rows of this page")
      .first()
      .evaluate((box) => box.click());
    await page.getByRole("button", { name: /^Resend/ }).click();
    await page.getByLabel(/Reason/).fill("mended in ServiceNow");
    await page.getByRole("button", { name: "Resend 14 rows" }).click();
    await page.waitForTimeout(700);
    await page.getByRole("button", { name: "Start a run now" }).first().click();
    await page.waitForTimeout(500);
  },
  "plot-table": null,
};
for (const [name, steps] of Object.entries(dialogs)) {
  for (const [theme, width] of [
    ["light", 1280],
    ["dark", 380],
  ]) {
    const full = `${name}-${theme}-${width}`;
    if (!wanted(full)) continue;
    if (steps) await look(full, `${root}/iru-servicenow/page/#/stuck`, { theme, width, steps });
    else
      await look(full, `${root}/iru-servicenow/page/#/runs`, {
        theme,
        width,
        steps: async (page) => {
          for (const button of await page.getByRole("button", { name: /Show as table/ }).all()) await button.click();
        },
      });
  }
}
/** In an iframe with Airflow's sandbox: theme, deep links both ways, Airflow's pages, tabs of their own. */
async function embedded() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on(
    "console",
    (message) => message.type() === "error" && complain("embedded console:", message.text().slice(0, 300)),
  );
  await page.goto(`${root}/plugin/iru-servicenow#/stuck?kind=held`, { waitUntil: "networkidle" });
  const frame = page.frames()[1];
  const wants = async (what, is, be) => {
    if (is !== be) complain("embedded:", what, "is", is, "and should be", be);
  };
  await frame
    .getByRole("heading", { name: "Held rows" })
    .waitFor({ timeout: 5000 })
    .catch(() => complain("embedded: the deep link was not followed"));
  await wants("theme", await frame.evaluate(() => document.documentElement.className), "dark");
  await page.evaluate(() => {
    document.documentElement.className = "light";
  });
  await page.waitForTimeout(300);
  await wants("theme", await frame.evaluate(() => document.documentElement.className), "light");
  await frame.getByRole("link", { name: "Runs", exact: true }).click();
  await page.waitForTimeout(500);
  await wants("parent's hash", await page.evaluate(() => location.hash), "#/runs");
  await page.goBack();
  await page.waitForTimeout(500);
  await wants("hash after going back", await page.evaluate(() => location.hash), "#/stuck?kind=held");
  await page.evaluate(() => {
    location.hash = "#/runs";
  });
  const opened = context.waitForEvent("page", { timeout: 5000 });
  await frame
    .getByRole("link", { name: /^Report/ })
    .first()
    .click();
  await wants("new tab", new URL((await opened).url()).pathname.startsWith("/iru-servicenow/runs/"), true);
  const saved = page.waitForEvent("download", { timeout: 5000 });
  await frame.getByRole("button", { name: "Download the runs" }).click();
  await frame.getByRole("menuitem", { name: /CSV/ }).click();
  await wants("file", (await saved).suggestedFilename(), "runs.csv");
  await page.evaluate(() => {
    window.addEventListener("popstate", (event) => {
      window.popped = [location.pathname, event instanceof PopStateEvent];
    });
  });
  await frame.locator("main tbody a").first().click();
  await page.waitForTimeout(300);
  await wants(
    "popstate",
    JSON.stringify(
      await page.evaluate(() => [window.popped[0].startsWith("/dags/iru_devices/runs/scheduled__"), window.popped[1]]),
    ),
    "[true,true]",
  );
  await context.close();
}
if (wanted("embedded")) await embedded();
await browser.close();
server.httpServer.close();
console.log(bad === 0 ? "nothing to complain of" : `${bad} complaints`);
process.exit(bad === 0 ? 0 : 1);
