/** Small pieces that every view uses. */

import { Badge, Box, Button, Heading, Link, Skeleton, Stack, Text, VisuallyHidden } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { openInAirflow, openOutside, runPath } from "../lib/airflow";
import { ago, capital, local, plain, utc } from "../lib/format";

type Sign = "check" | "warn" | "cross" | "question" | "out" | "down";
const SIGNS: Record<Sign, string> = {
  check: "M3 8.5l3.2 3.2L13 5",
  warn: "M8 2.2L14.5 13.5h-13zM8 6.5v3.2M8 11.4v.6",
  cross: "M4 4l8 8M12 4l-8 8",
  question: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.5M8 12v.5",
  out: "M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5",
  down: "M8 3v7M4.8 7L8 10.2 11.2 7M3 13h10",
};

export const Icon = ({ sign, size = 16 }: { sign: Sign; size?: number }) => (
  <svg
    width={size}
    height={size}
    viewBox="0 0 16 16"
    aria-hidden="true"
    focusable="false"
    style={{ flex: "none", display: "inline", verticalAlign: "middle" }}
  >
    <path
      d={SIGNS[sign]}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
);

/** A time as people say it, with the exact one in UTC behind it. */
export const Time = ({ iso, now, exact = false }: { iso: string | null; now?: number; exact?: boolean }) =>
  iso === null ? (
    <Text as="span" color="fg.muted">
      never
    </Text>
  ) : (
    <time dateTime={iso} title={`${local(iso)} · ${utc(iso)}`} style={{ whiteSpace: "nowrap" }}>
      {exact ? local(iso) : ago(iso, now)}
    </time>
  );

export const Card = ({
  title,
  level = "h2",
  aside,
  children,
  ...rest
}: {
  title?: ReactNode;
  level?: "h2" | "h3";
  aside?: ReactNode;
  children: ReactNode;
  id?: string;
  gap?: number;
}) => (
  <Box as="section" borderWidth="1px" borderRadius="md" bg="bg" p={4} minW={0} id={rest.id}>
    {title !== undefined && (
      <Stack direction="row" justify="space-between" align="center" wrap="wrap" gap={2} mb={3}>
        <Heading as={level} size="md">
          {title}
        </Heading>
        {aside}
      </Stack>
    )}
    <Stack gap={rest.gap ?? 3}>{children}</Stack>
  </Box>
);

export const Waiting = ({ lines = 4, says = "Loading" }: { lines?: number; says?: string }) => (
  <Stack gap={2} role="status" aria-label={says} py={2}>
    {Array.from({ length: lines }, (_, i) => (
      <Skeleton key={i} height="6" />
    ))}
    <VisuallyHidden>{says}</VisuallyHidden>
  </Stack>
);

export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <Box borderWidth="1px" borderStyle="dashed" borderRadius="md" p={6} textAlign="center">
    <Text fontWeight="semibold">{title}</Text>
    {children && (
      <Box color="fg.muted" mt={1}>
        {children}
      </Box>
    )}
  </Box>
);

export const Failed = ({ what, error, retry }: { what: string; error: Error; retry?: () => void }) => (
  <Box
    role="alert"
    borderWidth="1px"
    borderColor="red.emphasized"
    bg="red.subtle"
    color="red.fg"
    borderRadius="md"
    p={4}
  >
    <Stack direction={{ base: "column", sm: "row" }} align={{ sm: "center" }} justify="space-between" gap={3}>
      <Stack direction="row" gap={2} minW={0}>
        <Box pt={1}>
          <Icon sign="warn" />
        </Box>
        <Box minW={0} overflowWrap="anywhere">
          <Text fontWeight="semibold">{what} could not be loaded.</Text>
          <Text>{error.message}</Text>
        </Box>
      </Stack>
      {retry && (
        <Button size="sm" variant="outline" colorPalette="red" color="red.fg" onClick={retry}>
          Try again
        </Button>
      )}
    </Stack>
  </Box>
);

/** Shows a query's content, or how it stands. */
export function Loaded<T>({
  query,
  what,
  lines,
  children,
}: {
  query: { data: T | undefined; error: Error | null; refetch: () => unknown };
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  if (query.data === undefined) {
    return query.error ? (
      <Failed what={what} error={query.error} retry={() => query.refetch()} />
    ) : (
      <Waiting lines={lines} says={`Loading ${what}`} />
    );
  }
  return (
    <>
      {query.error && (
        <Failed what={`The newest state of ${what.toLowerCase()}`} error={query.error} retry={() => query.refetch()} />
      )}
      {children(query.data)}
    </>
  );
}

const HUES: Record<string, string> = {
  inserted: "blue",
  updated: "cyan",
  processed: "green",
  unchanged: "gray",
  error: "red",
  rejected: "orange",
  held: "amber",
  refused: "red",
  parked: "purple",
  ignored: "gray",
  skipped: "orange",
  filtered: "gray",
};

export const Tag = ({ word, hue }: { word: string; hue?: string }) => (
  <Badge colorPalette={hue ?? HUES[word] ?? "gray"} variant="subtle" size="sm">
    {capital(word)}
  </Badge>
);

/** Long names of servers wrap where they must, and never break a layout. */
export const Clip = ({ children, width = "22rem" }: { children: string; width?: string }) => (
  <Box
    as="span"
    display="-webkit-box"
    w="max-content"
    maxW={`min(${width}, 60vw)`}
    overflow="hidden"
    overflowWrap="anywhere"
    title={plain(children)}
    css={{ WebkitLineClamp: 2, WebkitBoxOrient: "vertical", unicodeBidi: "isolate" }}
  >
    {plain(children) || "–"}
  </Box>
);

export const RunLink = ({ dagId, runId, children }: { dagId: string; runId: string; children?: ReactNode }) => {
  const href = runPath(dagId, runId);
  return (
    <Link
      href={href}
      color="blue.fg"
      textDecoration="underline"
      overflowWrap="anywhere"
      title={`Run ${runId} of ${dagId}, in Airflow`}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        openInAirflow(href);
      }}
    >
      {children ?? runId}
    </Link>
  );
};

export const OutLink = ({ href, children }: { href: string; children: ReactNode }) => (
  <Link
    href={/^(https?:|\/)/.test(href) ? href : undefined}
    color="blue.fg"
    textDecoration="underline"
    display="inline"
    overflowWrap="break-word"
    onClick={(event) => {
      event.preventDefault();
      openOutside(href);
    }}
  >
    {children}
    <Icon sign="out" size={12} />
    <VisuallyHidden>(opens in a new tab)</VisuallyHidden>
  </Link>
);
