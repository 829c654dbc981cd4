/** How runs went over time, and each of them with its ways out: Airflow, import sets, report. */

import { Box, Flex, HStack, SimpleGrid, Stack, Text } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { airflowRoot } from "../lib/airflow";
import { get, path, query as search } from "../lib/api";
import { capital, dayShown, decimal, duration, feedTitle, number, plural } from "../lib/format";
import { sumDays } from "../lib/days";
import { useChosen, useHref, usePaged, useRoute, useTheme } from "../lib/hooks";
import { VERDICTS, type Day, type LatencyDay, type Page, type RunRow } from "../lib/types";
import { Card, Empty, Loaded, OutLink, RunLink, Tag, Time } from "../parts/basics";
import { PagedTable, type Col } from "../parts/DataTable";
import { Choose } from "../parts/Choose";
import { Download } from "../parts/Download";
import { colour, SERIES } from "../parts/palette";
import { Plot } from "../parts/Plot";
import { VerdictBar } from "../parts/VerdictBar";

const NOT_SENT = ["unchanged", "filtered"];

function VerdictPlot({ days, feed, aside }: { days: Day[]; feed: string; aside: React.ReactNode }) {
  const theme = useTheme();
  const sums = sumDays(days, feed);
  const shown = VERDICTS.filter(
    (name) => !NOT_SENT.includes(name) && sums.some(({ counts }) => (counts[name] ?? 0) > 0),
  );
  const series = shown.map((name) => ({
    name: capital(name),
    colour: colour(name, theme),
    values: sums.map(({ counts }) => counts[name] ?? 0),
  }));
  return (
    <Plot
      title="Verdicts a day"
      aside={aside}
      label="Day (UTC)"
      unit="Rows"
      isStacked
      shown={number}
      labels={sums.map(({ day }) => dayShown(day))}
      series={series}
      empty={
        sums.length > 0
          ? "Nothing changed on these days: every row was unchanged."
          : "No run has been settled in this time."
      }
    />
  );
}

function LatencyPlot({ days }: { days: LatencyDay[] }) {
  const theme = useTheme();
  return (
    <Plot
      title="From detection to record"
      kind="line"
      label="Day (UTC)"
      unit="Seconds"
      labels={days.map(({ day }) => dayShown(day))}
      series={[
        { name: "Half are faster (p50)", colour: SERIES[0]![theme], values: days.map((day) => day.p50_s) },
        {
          name: "95 % are faster (p95)",
          colour: SERIES[1]![theme],
          dash: [6, 4],
          values: days.map((day) => day.p95_s),
        },
      ]}
      empty="No change that the watcher noticed has been carried in this time."
    />
  );
}

/** The path of a report may lack the prefix that Airflow lives below. */
const reportHref = (url: string) => (url.startsWith("/iru-servicenow/") ? airflowRoot() + url : url);

const sums = (run: RunRow) =>
  Object.entries(run.feeds).filter(([, counts]) => counts.extracted > 0 || counts.removed > 0);

const COLUMNS: Col<RunRow>[] = [
  {
    head: "Ended",
    cell: (run) => (
      <Box minW="8rem">
        <RunLink dagId={run.dag_id} runId={run.run_id}>
          <Time iso={run.ended_at} exact />
        </RunLink>
        <Text fontSize="xs" color="fg.muted">
          {run.dag_id}
        </Text>
      </Box>
    ),
  },
  {
    head: "Outcome",
    cell: (run) => (
      <Box maxW="16rem" minW="8rem" overflowWrap="anywhere">
        <HStack wrap="wrap" gap={1}>
          {run.failed ? <Tag word="failed" hue="red" /> : <Tag word="success" hue="green" />}
          {run.mode === "plan" && <Tag word="plan only" hue="purple" />}
          {!run.is_whole && <Tag word="changed devices" hue="cyan" />}
        </HStack>
        {run.failed && (
          <Text fontSize="xs" color="red.fg" mt={1}>
            {run.failed}
          </Text>
        )}
      </Box>
    ),
  },
  {
    head: "Verdicts",
    cell: (run) => (
      <Stack gap={1}>
        {sums(run).map(([feed, counts]) => (
          <Box key={feed}>
            <Text fontSize="xs" color="fg.muted">
              {feedTitle(feed)}
            </Text>
            <VerdictBar counts={counts} isSmall />
          </Box>
        ))}
      </Stack>
    ),
  },
  { head: "Sent", isNumber: true, hint: "Rows sent to ServiceNow", cell: (run) => number(run.rows_sent) },
  {
    head: "Rows/s",
    isNumber: true,
    hint: "Rows sent per second of loading",
    cell: (run) => (run.rows_per_s === null ? "–" : decimal(run.rows_per_s)),
  },
  { head: "Loading", isNumber: true, cell: (run) => (run.rows_sent === 0 ? "–" : run.load_s < 1 ? "under 1 s" : duration(run.load_s)) },
  {
    head: "Requests",
    isNumber: true,
    cell: (run) => (
      <>
        <div>Iru {number(run.requests.iru)}</div>
        <div>ServiceNow {number(run.requests.servicenow)}</div>
        {run.retries > 0 && (
          <Text fontSize="xs" color="fg.muted">
            {number(run.retries)} tried again
          </Text>
        )}
      </>
    ),
  },
  {
    head: "Detection to record",
    isNumber: true,
    hint: "For devices whose change the watcher noticed",
    cell: (run) =>
      run.latency ? (
        <>
          <div>p50 {duration(run.latency.p50_s)}</div>
          <div>p95 {duration(run.latency.p95_s)}</div>
          <Text fontSize="xs" color="fg.muted">
            {plural(run.latency.n, "device")}
          </Text>
        </>
      ) : (
        "–"
      ),
  },
  {
    head: "Look into",
    cell: (run) => (
      <Stack gap={0.5} fontSize="sm">
        {run.report_url && <OutLink href={reportHref(run.report_url)}>Report</OutLink>}
        {run.import_sets.slice(0, 5).map((set) => (
          <OutLink key={set.url} href={set.url}>
            {set.name}
          </OutLink>
        ))}
        {run.import_sets.length > 5 && (
          <Text fontSize="xs" color="fg.muted">
            {number(run.import_sets.length - 5)} more import sets in the report
          </Text>
        )}
      </Stack>
    ),
  },
];

export function Runs() {
  const { pair } = useChosen();
  const route = useRoute();
  const href = useHref();
  const { flow = "", days = "30", feed = "" } = route.query;
  const go = (change: Record<string, string>) => {
    window.location.hash = href("runs", null, { ...route.query, ...change });
  };
  const perDay = useQuery({
    queryKey: [pair.name, "days", days],
    queryFn: ({ signal }) => get<{ days: Day[] }>(path(pair.name, "days") + search({ days }), signal),
  });
  const latency = useQuery({
    queryKey: [pair.name, "latency", days],
    queryFn: ({ signal }) => get<{ days: LatencyDay[] }>(path(pair.name, "latency") + search({ days }), signal),
  });
  const paged = usePaged<RunRow>([pair.name, "runs", flow], (cursor, signal) =>
    get<Page<RunRow>>(path(pair.name, "runs") + search({ flow: flow || null, cursor, limit: 25 }), signal),
  );
  const feeds = [...new Set(perDay.data?.days.map((day) => day.feed))];
  return (
    <Stack gap={4}>
      <Flex gap={4} wrap="wrap">
        <Choose
          label="Time"
          value={days}
          options={[
            ["7", "7 days"],
            ["30", "30 days"],
            ["90", "90 days"],
            ["366", "a year"],
          ]}
          onChange={(value) => go({ days: value })}
        />
        <Choose
          label="Feed in the plot"
          value={feed}
          options={[["", "All"], ...feeds.map((name): [string, string] => [name, feedTitle(name)])]}
          onChange={(value) => go({ feed: value })}
        />
      </Flex>
      <SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
        <Loaded query={perDay} what="Verdicts a day">
          {(data) => (
            <VerdictPlot
              days={data.days}
              feed={feed}
              aside={<Download table="days" filters={{ days: Number(days) }} name="the verdicts a day" />}
            />
          )}
        </Loaded>
        <Loaded query={latency} what="Latency">
          {(data) => <LatencyPlot days={data.days} />}
        </Loaded>
      </SimpleGrid>
      <Card
        title="Runs"
        aside={
          <HStack wrap="wrap" gap={3}>
            <Choose
              label="Flow"
              value={flow}
              options={[
                ["", "All"],
                ["devices", "Devices"],
                ["apps", "Applications"],
              ]}
              onChange={(value) => go({ flow: value })}
            />
            <Download table="runs" filters={flow ? { flow } : {}} name="the runs" />
          </HStack>
        }
      >
        <PagedTable
          paged={paged}
          what="Runs"
          caption="Settled runs, newest first"
          columns={COLUMNS}
          rowKey={(run) => `${run.dag_id} ${run.run_id}`}
          empty={
            <Empty title="No run has been settled yet">
              Unpause {pair.dags.devices} in Airflow, or start a run of it.
            </Empty>
          }
        />
      </Card>
    </Stack>
  );
}
