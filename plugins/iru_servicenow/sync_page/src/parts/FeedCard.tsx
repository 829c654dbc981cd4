/** One feed's card: its light and why, its numbers on all sides, when it runs, what became of the last run's rows. */

import { Box, Flex, Heading, Link, List, SimpleGrid, Stack, Text } from "@chakra-ui/react";
import { dagPath, openInAirflow } from "../lib/airflow";
import { ago, duration, feedTitle, number, plain, plural, signed } from "../lib/format";
import { useChosen, useDag, useHref } from "../lib/hooks";
import type { FeedState, Kind, Light, Seen } from "../lib/types";
import { Icon, RunLink, Time } from "./basics";
import { VerdictBar } from "./VerdictBar";

const LIGHTS: Record<Light, { word: string; hue: string; sign: "check" | "warn" | "cross" | "question" }> = {
  green: { word: "In order", hue: "green", sign: "check" },
  amber: { word: "Look at it", hue: "amber", sign: "warn" },
  red: { word: "Act now", hue: "red", sign: "cross" },
  grey: { word: "Not known yet", hue: "gray", sign: "question" },
};

const LightMark = ({ light }: { light: Light }) => {
  const { word, hue, sign } = LIGHTS[light];
  return (
    <Flex
      align="center"
      gap={1.5}
      px={2.5}
      py={1}
      borderRadius="full"
      fontWeight="semibold"
      fontSize="sm"
      whiteSpace="nowrap"
      bg={`${hue}.subtle`}
      color={`${hue}.fg`}
      borderWidth="1px"
      borderColor={`${hue}.emphasized`}
      data-light={light}
    >
      <Icon sign={sign} /> {word}
    </Flex>
  );
};

const told = (seen: Seen | null, now: number) =>
  seen === null
    ? "not counted yet"
    : `${seen.told_by === "load" ? "by a load" : "by a reconciliation"}, ${ago(seen.at, now)}`;

const Figure = ({ name, value, note, hue }: { name: string; value: string; note: string; hue?: string }) => (
  <Box minW={0}>
    <Text as="dt" fontSize="sm" color="fg.muted">
      {name}
    </Text>
    <Text as="dd" fontSize="2xl" lineHeight="1.25" fontWeight="semibold" fontVariantNumeric="tabular-nums" color={hue}>
      {value}
    </Text>
    <Text as="dd" fontSize="xs" color="fg.muted">
      {note}
    </Text>
  </Box>
);

const STUCK: { kind: Kind; hint: string }[] = [
  { kind: "refused", hint: "ServiceNow said no; the next run tries again" },
  { kind: "parked", hint: "no longer tried" },
  { kind: "held", hint: "not sent: waits for its computer, a guard or an earlier run" },
  { kind: "rejected", hint: "not sent: the row itself is not in order" },
];

function Stuck({ feed }: { feed: FeedState }) {
  const href = useHref();
  const some = STUCK.filter(({ kind }) => feed.stuck[kind] > 0);
  if (some.length === 0)
    return (
      <Text fontSize="sm">
        <b>Stuck:</b> nothing
      </Text>
    );
  return (
    <Flex wrap="wrap" columnGap={3} rowGap={1} fontSize="sm">
      <b>Stuck:</b>
      {some.map(({ kind, hint }) => (
        <Link
          key={kind}
          href={href("stuck", null, { kind, feed: feed.feed })}
          title={hint}
          color="blue.fg"
          textDecoration="underline"
        >
          {number(feed.stuck[kind])} {kind}
        </Link>
      ))}
    </Flex>
  );
}

function NextRun({ feed, now }: { feed: FeedState; now: number }) {
  const { pair } = useChosen();
  const dagId = pair.dags[feed.flow];
  const { data, error } = useDag(dagId);
  const open = (event: React.MouseEvent) => {
    event.preventDefault();
    openInAirflow(dagPath(dagId));
  };
  const link = (
    <Link href={dagPath(dagId)} onClick={open} color="blue.fg" textDecoration="underline" overflowWrap="anywhere">
      {dagId}
    </Link>
  );
  if (error) return <span>not known ({error.message})</span>;
  if (!data) return <span>…</span>;
  if (data.is_paused)
    return (
      <span>
        <b>paused</b>: unpause {link} and it goes on
      </span>
    );
  return data.next_dagrun_run_after ? (
    <span>
      <Time iso={data.next_dagrun_run_after} now={now} /> ({link})
    </span>
  ) : (
    <span>none is scheduled ({link})</span>
  );
}

export function FeedCard({ feed, now }: { feed: FeedState; now: number }) {
  const { last_run: last, unconfirmed } = feed;
  const apart = feed.difference;
  const row = { display: "grid", gridTemplateColumns: "7.5rem minmax(0, 1fr)", gap: 2, fontSize: "sm" } as const;
  return (
    <Box
      as="section"
      aria-labelledby={`feed-${feed.feed}`}
      borderWidth="1px"
      borderTopWidth="3px"
      borderTopColor={`${LIGHTS[feed.light].hue}.solid`}
      borderRadius="md"
      bg="bg"
      p={4}
      minW={0}
    >
      <Flex justify="space-between" align="center" gap={2} wrap="wrap" mb={2}>
        <Heading as="h2" size="lg" id={`feed-${feed.feed}`}>
          {feedTitle(feed.feed)}
        </Heading>
        <LightMark light={feed.light} />
      </Flex>
      {feed.why.length > 0 && (
        <List.Root ps={4} mb={3} fontSize="sm" gap={1}>
          {feed.why.map((why) => (
            <List.Item key={why} overflowWrap="anywhere">
              {why}
            </List.Item>
          ))}
        </List.Root>
      )}
      <SimpleGrid as="dl" columns={{ base: 2, sm: 4, lg: 2, "2xl": 4 }} gap={3} mb={3}>
        <Figure name="In Iru" value={feed.in_iru ? number(feed.in_iru.rows) : "–"} note={told(feed.in_iru, now)} />
        <Figure name="In the ledger" value={number(feed.in_ledger.rows)} note="confirmed by ServiceNow" />
        <Figure
          name="Active in ServiceNow"
          value={feed.in_servicenow ? number(feed.in_servicenow.rows) : "–"}
          note={told(feed.in_servicenow, now)}
        />
        <Figure
          name="Difference"
          value={apart === null ? "–" : signed(apart)}
          hue={apart ? "orange.fg" : undefined}
          note={
            apart === null
              ? "needs both counts"
              : apart === 0
                ? "both sides agree"
                : apart < 0
                  ? "missing in ServiceNow"
                  : "more in ServiceNow"
          }
        />
      </SimpleGrid>
      <Stack as="dl" gap={1.5} mb={3}>
        <Box {...row}>
          <Text as="dt" color="fg.muted">
            Unconfirmed
          </Text>
          <dd>
            {unconfirmed.n === 0 ? (
              last === null ? (
                "nothing has been sent yet"
              ) : (
                "nothing: all changes are confirmed"
              )
            ) : (
              <>
                {plural(unconfirmed.n, "change")}
                {unconfirmed.oldest_s !== null && (
                  <>
                    , oldest unconfirmed change <b>{duration(unconfirmed.oldest_s)}</b>
                  </>
                )}
                {unconfirmed.newest_s !== null && unconfirmed.n > 1 && `, newest ${duration(unconfirmed.newest_s)}`}
              </>
            )}
          </dd>
        </Box>
        <Box {...row}>
          <Text as="dt" color="fg.muted">
            Last success
          </Text>
          <dd>
            <Time iso={feed.last_success_at} now={now} />
            {feed.period_s !== null && `, due every ${duration(feed.period_s)}`}
          </dd>
        </Box>
        <Box {...row}>
          <Text as="dt" color="fg.muted">
            Last run
          </Text>
          <dd>
            {last === null ? (
              "none yet"
            ) : (
              <>
                <RunLink dagId={last.dag_id} runId={last.run_id}>
                  {ago(last.ended_at, now)}
                </RunLink>
                {last.is_whole ? ", the whole fleet" : ", changed devices only"}
                {last.failed && (
                  <Text color="red.fg" overflowWrap="anywhere">
                    <b>Failed:</b> {plain(last.failed)}
                  </Text>
                )}
              </>
            )}
          </dd>
        </Box>
        <Box {...row}>
          <Text as="dt" color="fg.muted">
            Next run
          </Text>
          <dd>
            <NextRun feed={feed} now={now} />
          </dd>
        </Box>
      </Stack>
      <Stack gap={2}>
        {last && <VerdictBar counts={last.counts} />}
        <Stuck feed={feed} />
      </Stack>
    </Box>
  );
}
