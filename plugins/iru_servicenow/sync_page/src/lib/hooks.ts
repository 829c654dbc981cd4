/** State that several views share: the route, the theme, the clock, pages of a table. */

import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { currentTheme, onTheme, type Theme } from "./airflow";
import { getDag } from "./api";
import { format, parse, type Route, type View } from "./route";
import type { AirflowDag, Page, Pair } from "./types";

const onHash = (changed: () => void) => {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
};

export const useRoute = (): Route => parse(useSyncExternalStore(onHash, () => window.location.hash));

export const useTheme = (): Theme => useSyncExternalStore(onTheme, currentTheme);

/** The present, anew every so many seconds. */
export function useNow(everyS = 5): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyS * 1000);
    return () => clearInterval(timer);
  }, [everyS]);
  return now;
}

/** The value once it has stayed the same for a moment: one question per pause, not per key. */
export function useSettled<T>(value: T, afterMs = 300): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), afterMs);
    return () => clearTimeout(timer);
  }, [value, afterMs]);
  return settled;
}

export type Chosen = { pair: Pair; several: boolean };
export const PairContext = createContext<Chosen | null>(null);

export function useChosen(): Chosen {
  const chosen = useContext(PairContext);
  if (chosen === null) throw new Error("no pair is chosen");
  return chosen;
}

/** Hashes within the chosen pair; the pair stands in them only where there are several. */
export function useHref(): (view: View, id?: string | null, query?: Record<string, string>) => string {
  const { pair, several } = useChosen();
  return (view, id = null, query = {}) => format({ pair: several ? pair.name : null, view, id, query });
}

export type Paged<T> = {
  result: UseQueryResult<Page<T>>;
  number: number;
  previous: (() => void) | null;
  next: (() => void) | null;
};

/** A table by pages: the key says what is asked; when it changes, the first page comes again. */
export function usePaged<T>(
  key: unknown[],
  ask: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>,
): Paged<T> {
  const asked = JSON.stringify(key);
  const [place, setPlace] = useState<{ asked: string; cursors: string[] }>({ asked, cursors: [] });
  const cursors = place.asked === asked ? place.cursors : [];
  const cursor = cursors.at(-1) ?? null;
  const result = useQuery({
    queryKey: [...key, cursor],
    queryFn: ({ signal }) => ask(cursor, signal),
    placeholderData: keepPreviousData,
  });
  const following = result.data?.next ?? null;
  return {
    result,
    number: cursors.length + 1,
    previous: cursors.length > 0 ? () => setPlace({ asked, cursors: cursors.slice(0, -1) }) : null,
    next:
      following !== null && !result.isPlaceholderData
        ? () => setPlace({ asked, cursors: [...cursors, following] })
        : null,
  };
}

/** What Airflow says of a DAG: paused or not, and when it runs next. */
export const useDag = (dagId: string): UseQueryResult<AirflowDag> =>
  useQuery({
    queryKey: ["dag", dagId],
    queryFn: ({ signal }) => getDag(dagId, signal),
    refetchInterval: 30_000,
    retry: false,
  });
