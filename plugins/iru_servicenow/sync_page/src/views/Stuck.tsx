/** What is not in ServiceNow as it is in Iru, why, and what to do about it. */

import { Button, Flex, HStack, Input, Link, Stack, Text } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, path, post } from "../lib/api";
import { capital, feedTitle, local, number } from "../lib/format";
import { useChosen, useHref, useNow, usePaged, useRoute, useSettled } from "../lib/hooks";
import type { Group, Kind, Page, StuckRow } from "../lib/types";
import { Card, Clip, Empty, RunLink, Tag, Time } from "../parts/basics";
import { PagedTable, type Col } from "../parts/DataTable";
import { Download } from "../parts/Download";
import { OrderBar, Ordered } from "../parts/Order";
import { Choose } from "../parts/Choose";
import { Messages, Orders } from "../parts/StuckTables";
import { StuckDialog } from "./StuckDialog";

const KINDS: { kind: Kind; says: string; none: string }[] = [
  {
    kind: "refused",
    says: "ServiceNow refused these rows; each run tries them again until they are parked.",
    none: "ServiceNow has taken every row that was sent.",
  },
  {
    kind: "parked",
    says: "These rows are not tried any more, because they were refused too often or parked by hand. Release them once the reason is gone.",
    none: "No row is parked.",
  },
  {
    kind: "held",
    says: "These rows were not sent: they wait for their computer, for a guard, or for an earlier run.",
    none: "No row is held back.",
  },
  {
    kind: "rejected",
    says: "These rows are not in order in Iru itself, so they were not sent. Mend them there.",
    none: "Every row of Iru can be sent.",
  },
];

function columns(
  open: (row: StuckRow) => void,
  href: ReturnType<typeof useHref>,
  now: number,
  sort: string,
  setSort: (sort: "oldest" | "newest") => void,
): Col<StuckRow>[] {
  return [
    {
      head: "Row",
      cell: (row) => (
        <Stack gap={0.5} minW="10rem">
          <Button
            variant="plain"
            size="sm"
            h="auto"
            p={0}
            justifyContent="start"
            textAlign="start"
            whiteSpace="normal"
            color="blue.fg"
            textDecoration="underline"
            onClick={() => open(row)}
          >
            <Clip width="16rem">{row.name || row.key_shown}</Clip>
          </Button>
          <Text fontSize="xs" color="fg.muted" overflowWrap="anywhere" maxW="16rem">
            {row.key_shown}
          </Text>
        </Stack>
      ),
    },
    { head: "Feed", cell: (row) => feedTitle(row.feed) },
    {
      head: "Serial number",
      cell: (row) =>
        row.device_id ? (
          <Link href={href("devices", row.device_id)} color="blue.fg" textDecoration="underline">
            {row.serial_number || "device"}
          </Link>
        ) : (
          row.serial_number || (
            <Text as="span" color="fg.muted">
              none
            </Text>
          )
        ),
    },
    {
      head: "Verdict",
      cell: (row) => (
        <Stack gap={1} align="start">
          <Tag word={row.verdict || row.kind} />
          {row.open_order && (
            <Text
              fontSize="xs"
              color="purple.fg"
              title={`${row.open_order.ordered_by}, ${local(row.open_order.ordered_at)}`}
            >
              <b>Ordered:</b> {row.open_order.action} by {row.open_order.ordered_by}
            </Text>
          )}
        </Stack>
      ),
    },
    { head: "Message", cell: (row) => <Clip width="24rem">{row.message}</Clip> },
    { head: "Attempts", isNumber: true, cell: (row) => (row.attempts ? number(row.attempts) : "–") },
    {
      head: "Since",
      sort: { is: true, descends: sort === "newest", set: () => setSort(sort === "newest" ? "oldest" : "newest") },
      cell: (row) => <Time iso={row.since} now={now} />,
    },
    {
      head: "Run",
      cell: (row) => (
        <RunLink dagId={row.dag_id} runId={row.run_id}>
          Run
        </RunLink>
      ),
    },
  ];
}

export function Stuck() {
  const { pair } = useChosen();
  const route = useRoute();
  const href = useHref();
  const kind = (route.query.kind ?? "refused") as Kind;
  const feed = route.query.feed ?? "";
  const now = useNow(15);
  const [text, setText] = useState("");
  const [message, setMessage] = useState("");
  const [verdict, setVerdict] = useState("");
  const [sort, setSort] = useState<"oldest" | "newest">("oldest");
  const [open, setOpen] = useState<StuckRow | null>(null);
  const [chosen, setChosen] = useState<Map<string, StuckRow>>(new Map());
  const [done, setDone] = useState<Parameters<typeof Ordered>[0]["done"] | null>(null);
  const words = useSettled((message || text).trim());
  const filters = {
    kind,
    ...(feed ? { feed } : {}),
    ...(verdict ? { verdict } : {}),
    ...(words ? { search: words } : {}),
    sort,
  };
  const paged = usePaged<StuckRow>([pair.name, "stuck", filters], (cursor, signal) =>
    post<Page<StuckRow>>(path(pair.name, "stuck"), { ...filters, cursor, limit: 50 }, signal),
  );
  const summary = useQuery({
    queryKey: [pair.name, "stuck", "summary"],
    queryFn: ({ signal }) => get<{ groups: Group[] }>(path(pair.name, "stuck", "summary"), signal),
  });
  const key = (row: StuckRow) => `${row.feed} ${row.key}`;
  const clear = () => setChosen(new Map());
  const go = (change: Record<string, string>) => {
    clear();
    window.location.hash = href("stuck", null, { kind, feed, ...change });
  };
  const groups = summary.data?.groups ?? [];
  const of = (one: Kind) =>
    groups
      .filter((group) => group.kind === one && (!feed || group.feed === feed))
      .reduce((sum, group) => sum + group.n, 0);
  const feeds = [...new Set([...groups.map((group) => group.feed), ...(feed ? [feed] : [])])];
  const verdicts = [...new Set(groups.filter((group) => group.kind === kind).map((group) => group.verdict))];
  const about = KINDS.find((one) => one.kind === kind)!;
  // What was never sent cannot be released, parked or sent again.
  const wasSent = kind === "refused" || kind === "parked";
  const choice = {
    has: (row: StuckRow) => chosen.has(key(row)),
    label: (row: StuckRow) => `Choose ${row.name || row.key_shown}`,
    set: (rows: StuckRow[], on: boolean) =>
      setChosen((before) => {
        const after = new Map(before);
        for (const row of rows) {
          if (on) after.set(key(row), row);
          else after.delete(key(row));
        }
        return after;
      }),
  };
  return (
    <Stack gap={4}>
      <Flex as="nav" aria-label="Kinds of stuck rows" gap={2} wrap="wrap">
        {KINDS.map((one) => (
          <Button key={one.kind} asChild size="sm" variant={one.kind === kind ? "solid" : "outline"}>
            <a
              href={href("stuck", null, { kind: one.kind, feed })}
              aria-current={one.kind === kind ? "page" : undefined}
              onClick={() => {
                clear();
                setVerdict("");
                setMessage("");
              }}
            >
              {capital(one.kind)}
              {summary.data && ` ${number(of(one.kind))}`}
            </a>
          </Button>
        ))}
      </Flex>
      <Text color="fg.muted" fontSize="sm">
        {about.says}
      </Text>
      {done && <Ordered done={done} onClose={() => setDone(null)} />}
      <Card
        title={`${capital(kind)} rows`}
        aside={<Download table="stuck" filters={filters} name={`the ${kind} rows`} />}
      >
        <Flex gap={3} wrap="wrap" align="center" role="search">
          <Input
            size="sm"
            maxW="20rem"
            type="search"
            placeholder="Serial number, name, message …"
            aria-label="Search stuck rows"
            value={message ? "" : text}
            onChange={(event) => {
              clear();
              setMessage("");
              setText(event.target.value);
            }}
          />
          <Choose
            label="Feed"
            value={feed}
            options={[["", "All"], ...feeds.map((name): [string, string] => [name, feedTitle(name)])]}
            onChange={(value) => go({ feed: value })}
          />
          <Choose
            label="Verdict"
            value={verdict}
            options={[["", "All"], ...verdicts.map((name): [string, string] => [name, capital(name)])]}
            onChange={(value) => {
              clear();
              setVerdict(value);
            }}
          />
          {message && (
            <HStack fontSize="sm">
              <Text>
                With the message: <Clip width="20rem">{message}</Clip>
              </Text>
              <Button size="xs" variant="outline" onClick={() => setMessage("")}>
                Any message
              </Button>
            </HStack>
          )}
        </Flex>
        {wasSent && (
          <OrderBar
            rows={[...chosen.values()].filter((row) => row.kind === kind)}
            flowOf={(feed) => pair.flows[feed] ?? "devices"}
            onDone={(result) => {
              clear();
              setDone(result);
            }}
          />
        )}
        <PagedTable
          paged={paged}
          what="Stuck rows"
          caption={`${capital(kind)} rows`}
          rowKey={key}
          choice={wasSent ? choice : undefined}
          columns={columns(setOpen, href, now, sort, setSort)}
          empty={
            words || feed || verdict ? (
              <Empty title="No row is like that">Take a filter away, or search for something else.</Empty>
            ) : (
              <Empty title={about.none}>There is nothing to do here.</Empty>
            )
          }
        />
      </Card>
      <Messages
        query={summary}
        kind={kind}
        onChoose={(group) => {
          setMessage(group.message);
          go({ feed: group.feed });
        }}
      />
      <Orders />
      {open && (
        <StuckDialog
          row={open}
          onClose={() => setOpen(null)}
          onDone={(result) => {
            setOpen(null);
            setDone(result);
          }}
        />
      )}
    </Stack>
  );
}
