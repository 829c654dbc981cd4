import { defineConfig } from "vite";
import { licences } from "./licences.ts";
import { mock } from "./mock/plugin.mjs";

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'none'";

export default defineConfig(({ command }) => ({
  // Airflow may live below a path prefix: nothing in the bundle knows where it is served.
  base: command === "build" ? "./" : "/iru-servicenow/page/",
  plugins: [licences(), mock()],
  preview: { headers: { "Content-Security-Policy": CSP } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      onLog: (level, log, next) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") next(level, log); // "use client" means nothing in a page
      },
      output: {
        entryFileNames: "assets/page-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
        comments: { legal: false }, // they are in LICENSES.txt, whole
      },
    },
  },
}));
