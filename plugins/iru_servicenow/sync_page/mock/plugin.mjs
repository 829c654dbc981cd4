/** For development: `npm run dev` answers the whole contract from made-up data below /iru-servicenow/, as Airflow would. */

import { answer } from "./answers.mjs";

const read = (request) =>
  new Promise((resolve) => {
    let text = "";
    request.on("data", (part) => (text += part));
    request.on("end", () => resolve(text ? JSON.parse(text) : {}));
  });

async function handle(request, response, next) {
  const url = new URL(request.url, "http://mock");
  if (/^\/(prefix\/)?iru-servicenow\/api\//.test(url.pathname) || /^\/(prefix\/)?api\/v2\//.test(url.pathname)) {
    const from = new URL(request.headers.referer ?? "http://mock/");
    const {
      status = 200,
      body,
      headers = {},
    } = answer(request.method, url, await read(request), from.searchParams.get("mock") ?? "");
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
    return;
  }
  if (url.pathname.startsWith("/plugin/")) {
    // Airflow's window in short: a page of another path with our page in the iframe that Airflow 3.3 makes.
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end(
      '<!doctype html><html lang="en" class="dark"><title>Airflow</title><link rel="icon" href="data:,"><body><iframe title="Iru" style="width:100%;height:95vh" ' +
        'sandbox="allow-scripts allow-same-origin allow-forms allow-downloads" src="/iru-servicenow/page/"></iframe></body></html>',
    );
    return;
  }
  next();
}

export const mock = () => ({
  name: "mock",
  apply: "serve",
  configureServer(server) {
    server.middlewares.use(handle);
  },
  configurePreviewServer(server) {
    server.middlewares.use(handle);
  },
});
