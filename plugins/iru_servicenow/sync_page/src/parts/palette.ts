/** Colours of plots: Okabe and Ito's, which people with colour blindness tell apart; darker ones on white, lighter ones on black. */

import type { Theme } from "../lib/airflow";

type Both = { light: string; dark: string };

export const VERDICT_COLOURS: Record<string, Both> = {
  inserted: { light: "#0072b2", dark: "#4ea8e0" },
  updated: { light: "#56b4e9", dark: "#a6dcff" },
  processed: { light: "#009e73", dark: "#2fc79b" },
  unchanged: { light: "#8a94a3", dark: "#77839a" },
  ignored: { light: "#b66a94", dark: "#cc79a7" },
  skipped: { light: "#b07a00", dark: "#e69f00" },
  held: { light: "#d9c400", dark: "#f0e442" },
  rejected: { light: "#d55e00", dark: "#ff8a3d" },
  error: { light: "#9c1c1c", dark: "#f26d6d" },
  filtered: { light: "#c3c9d1", dark: "#4a556b" },
  removed: { light: "#6b4c9a", dark: "#b39ddb" },
};

export const SERIES: Both[] = [
  { light: "#0072b2", dark: "#4ea8e0" },
  { light: "#d55e00", dark: "#ff8a3d" },
  { light: "#009e73", dark: "#2fc79b" },
  { light: "#b66a94", dark: "#cc79a7" },
];

export const colour = (verdict: string, theme: Theme): string => (VERDICT_COLOURS[verdict] ?? SERIES[0]!)[theme];

export const ink = (theme: Theme) =>
  theme === "dark"
    ? { text: "#d5dbe6", grid: "#3b4660", back: "#141b2d" }
    : { text: "#3f4a5c", grid: "#dde2ea", back: "#ffffff" };
