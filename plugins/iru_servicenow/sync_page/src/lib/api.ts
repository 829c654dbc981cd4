/** Questions to the page's own API and to Airflow's; every failure becomes an `ApiError` with a sentence for people. */

import { airflowRoot } from "./airflow";
import type { AirflowDag } from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

const WRITE = { "Content-Type": "application/json", "X-Requested-By": "iru-servicenow-page" };

const base = (): string => `${airflowRoot()}/iru-servicenow/api`;
const airflow = (): string => `${airflowRoot()}/api/v2`;

/** What an answer without a sentence of its own means. */
export function wordsFor(status: number): string {
  if (status === 401) return "Your Airflow login has ended. Load Airflow anew and sign in.";
  if (status === 403) return "Airflow does not allow you this. Ask an administrator for the right.";
  if (status === 404) return "There is nothing here, or no longer.";
  if (status === 409)
    return "Airflow says that this clashes with something that exists already. Load anew and try again.";
  if (status === 503) return "The database is slow or away. Try again in a moment.";
  return `Airflow's server answered with status ${status}. Try again; if it stays, its log says more.`;
}

/** The sentence in an error's body: ours is text, FastAPI's validation errors are lists. */
export function sentence(body: unknown, status: number): string {
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (typeof detail === "string" && detail.length > 0) return detail;
  const messages = Array.isArray(detail) ? detail.map((part) => (part as { msg?: unknown }).msg) : [];
  const texts = messages.filter((text): text is string => typeof text === "string");
  return texts.length > 0 ? `${texts.join("; ")}.` : wordsFor(status);
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { credentials: "same-origin", cache: "no-store", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "Airflow's server cannot be reached. Is it running, and are you still on its network?");
  }
  if (answer.ok) return answer;
  throw new ApiError(answer.status, sentence(await answer.json().catch(() => null), answer.status));
}

async function json<T>(url: string, init: RequestInit): Promise<T> {
  const answer = await ask(url, init);
  try {
    return (await answer.json()) as T;
  } catch {
    throw new ApiError(
      answer.status,
      "The answer is not what this page expects: is a login page or a proxy in between?",
    );
  }
}

const body = (value: unknown): RequestInit => ({ method: "POST", headers: WRITE, body: JSON.stringify(value) });

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => json<T>(base() + path, { signal });

export const post = <T>(path: string, value: unknown, signal?: AbortSignal): Promise<T> =>
  json<T>(base() + path, { ...body(value), signal });

/** `/pair/part/part`, each part escaped. */
export const path = (...parts: string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

/** A query of what is given; never for free text, which belongs into bodies. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]]));
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}

export const getDag = (dagId: string, signal?: AbortSignal): Promise<AirflowDag> =>
  json<AirflowDag>(`${airflow()}/dags/${encodeURIComponent(dagId)}`, { signal });

export const startRun = (dagId: string): Promise<{ dag_run_id: string }> =>
  json(`${airflow()}/dags/${encodeURIComponent(dagId)}/dagRuns`, body({ logical_date: null, conf: {} }));

/** The file's name that an attachment announces. */
export function fileName(disposition: string | null, otherwise: string): string {
  const name = /filename="?([^";]+)"?/.exec(disposition ?? "")?.[1];
  return name?.replace(/[\\/:*?"<>|\p{Cc}]/gu, "_") ?? otherwise;
}

export type DownloadOrder = {
  table: string;
  format: "csv" | "parquet";
  filters: Record<string, unknown>;
  device_id?: string;
};

/** Fetch a table as a file and hand it to the browser; returns how many rows the file leaves out. */
export async function download(pair: string, order: DownloadOrder): Promise<number> {
  const answer = await ask(base() + path(pair, "download"), body(order));
  const url = URL.createObjectURL(await answer.blob());
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = fileName(answer.headers.get("Content-Disposition"), `${order.table}.${order.format}`);
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
  return Number(answer.headers.get("X-Rows-Left-Out") ?? 0);
}
