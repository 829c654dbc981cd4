/** Numbers, times and sizes in words that people read; all pure. */

const WHOLE = new Intl.NumberFormat();
const ONE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const number = (value: number): string => WHOLE.format(value);

export const decimal = (value: number): string => ONE.format(value);

export const plural = (n: number, one: string, many = `${one}s`): string => `${number(n)} ${n === 1 ? one : many}`;

export const signed = (value: number): string =>
  value > 0 ? `+${number(value)}` : value < 0 ? `−${number(-value)}` : "0";

/** A share (0 to 1) in per cent; what is not nothing never reads as nothing. */
export const percent = (share: number): string =>
  share > 0 && share < 0.01
    ? "under 1 %"
    : share > 0.99 && share < 1
      ? "over 99 %"
      : `${ONE.format(Math.round(share * 100))} %`;

/** Seconds in words, two units at most: "3 min", "2 h 5 min", "4 days". */
export function duration(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 10) return `${ONE.format(s)} s`;
  if (Math.round(s) < 120) return `${Math.round(s)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48)
    return minutes % 60 && hours < 10 ? `${hours} h ${minutes % 60} min` : `${Math.round(minutes / 60)} h`;
  const days = Math.round(s / 86_400);
  return days < 60
    ? `${days} days`
    : days < 730
      ? `${Math.round(days / 30.44)} months`
      : `${Math.round(days / 365.25)} years`;
}

/** A time against now: "3 min ago", "in 12 min", "just now". */
export function ago(iso: string, now: number = Date.now()): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return iso;
  if (Math.abs(seconds) < 5) return "just now";
  return seconds > 0 ? `${duration(Math.floor(seconds))} ago` : `in ${duration(Math.ceil(-seconds))}`;
}

/** A time in the reader's own locale and zone. */
export function local(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? iso
    : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** The same time in UTC, for the tooltip. */
export function utc(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A day without a time ("2026-11-27") in the reader's locale, never moved into the day before by his zone. */
export const dayShown = (day: string): string =>
  new Date(`${day}T12:00:00Z`).toLocaleDateString(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

const SERVICE = { iru: "Iru", servicenow: "ServiceNow" } as const;
export const service = (name: string): string => SERVICE[name as keyof typeof SERVICE] ?? name;

const FEEDS: Record<string, string> = { computer: "Computers", mdm: "MDM records", apps: "Applications" };
/** A feed's name for people; a feed that only an own mapping knows keeps its name. */
export const feedTitle = (feed: string): string => FEEDS[feed] ?? feed;

/** Server text for the eye: what turns the direction of reading or cannot be seen shows as a mark ("exe.png" stays what it is). */
export const plain = (text: string): string =>
  text.replace(/[\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu, (c) => (c === "\n" ? c : "\ufffd"));

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("_", " ");
