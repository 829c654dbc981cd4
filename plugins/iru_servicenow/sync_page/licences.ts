/** Writes what the bundled libraries ask for: their names, versions and licence texts, into LICENSES.txt. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

type Package = { name: string; version: string; license: string; folder: string };

/** The package that a module belongs to: the nearest folder whose package.json has a name and a version. */
function packageOf(module: string): Package | null {
  for (let folder = dirname(module); folder.includes("node_modules"); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const { name, version, license } = JSON.parse(readFileSync(file, "utf-8")) as Partial<Package>;
    if (name && version) return { name, version, license: license ?? "see below", folder };
  }
  return null;
}

function text({ folder }: Package): string {
  const names = readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)(\.(md|txt))?$/i.test(name))
    .sort();
  return names.map((name) => readFileSync(join(folder, name), "utf-8").replaceAll("\r\n", "\n").trim()).join("\n\n");
}

/** A package without a text of its own gets the one that its licence's name stands for. */
const WITHOUT = "The package carries no licence text; its package.json names the licence above.";

export function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const packages = new Map<string, Package>();
      for (const id of this.getModuleIds()) {
        const found = packageOf(id.replace(/^\0/, "").split("?")[0]!);
        if (found) packages.set(`${found.name} ${found.version}`, found);
      }
      const parts = [...packages.values()]
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
        .map((one) => `${one.name} ${one.version} (${one.license})\n\n${text(one) || WITHOUT}`);
      const source = `Libraries in this bundle, and their licences.\n\n${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source });
    },
  };
}
