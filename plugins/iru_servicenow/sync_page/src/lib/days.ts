/** Counts a day, added up for plots. */

import type { Day } from "./types";

/** The days that there are, summed over the feeds that are asked for. */
export function sumDays(days: Day[], feed: string): { day: string; counts: Record<string, number> }[] {
  const sums = new Map<string, Record<string, number>>();
  for (const one of days) {
    if (feed && one.feed !== feed) continue;
    const sum = sums.get(one.day) ?? {};
    for (const [name, n] of Object.entries(one.counts)) sum[name] = (sum[name] ?? 0) + n;
    sums.set(one.day, sum);
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, counts]) => ({ day, counts }));
}
