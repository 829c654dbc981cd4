/** Is it fresh, is it right, what is stuck, what will it cost: one look. */

import { Box, Button, Flex, SimpleGrid, Stack, Text } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { get, path } from "../lib/api";
import { ago, duration, feedTitle, number, percent, plural, service } from "../lib/format";
import { useChosen, useNow } from "../lib/hooks";
import type { Light, Overview as State, Quota, Waiting as Changes } from "../lib/types";
import { Card, Empty, Loaded, Time } from "../parts/basics";
import { FeedCard } from "../parts/FeedCard";

function Meter({ quota, now }: { quota: Quota; now: number }) {
  const share = quota.share ?? (quota.limit && quota.used !== null ? quota.used / quota.limit : null);
  const hue = share === null ? "gray" : share > 0.9 ? "red" : share > 0.7 ? "amber" : "blue";
  const title = `${service(quota.service)}: ${quota.service === "iru" ? "requests of this hour" : "rate limit"}`;
  return (
    <Box minW={0}>
      <Flex justify="space-between" wrap="wrap" gap={1}>
        <Text fontWeight="medium">{title}</Text>
        <Text fontVariantNumeric="tabular-nums" color={`${hue}.fg`} fontWeight="semibold">
          {share === null ? "not known" : `${percent(share)} used${share > 0.9 ? ": nearly all" : ""}`}
        </Text>
      </Flex>
      {share !== null && (
        <Box
          role="meter"
          aria-label={title}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.min(100, Math.round(share * 100))}
          h={2.5}
          my={1}
          borderRadius="full"
          bg="gray.muted"
          overflow="hidden"
        >
          <Box h="full" bg={`${hue}.solid`} style={{ width: `${Math.min(100, share * 100)}%` }} />
        </Box>
      )}
      <Text fontSize="sm" color="fg.muted" overflowWrap="anywhere">
        {quota.limit !== null && quota.used !== null && `${number(quota.used)} of ${number(quota.limit)} requests. `}
        {quota.says}{" "}
        {quota.at && (
          <>
            (<Time iso={quota.at} now={now} />)
          </>
        )}
      </Text>
    </Box>
  );
}

function Noticed({ changes }: { changes: Changes | null }) {
  if (changes === null)
    return (
      <Text fontSize="sm" color="fg.muted">
        Changes are not watched between the scheduled runs. Set IRU_SERVICENOW_WATCH to on, and give the devices a
        schedule, to carry them within a minute.
      </Text>
    );
  if (changes.n === 0)
    return <Text fontSize="sm">No noticed change waits: everything that the watcher saw is carried.</Text>;
  return (
    <Text fontSize="sm">
      <b>{plural(changes.n, "changed device")}</b> noticed in Iru and not carried yet
      {changes.oldest_s !== null && `, the oldest ${duration(changes.oldest_s)} ago`}
      {changes.newest_s !== null && changes.n > 1 && `, the newest ${duration(changes.newest_s)} ago`}.
    </Text>
  );
}

const RANK: Light[] = ["red", "amber", "grey", "green"];

function Sentence({ state }: { state: State }) {
  const worst = RANK.find((light) => state.feeds.some((feed) => feed.light === light)) ?? "grey";
  const named = state.feeds.filter((feed) => feed.light === worst).map((feed) => feedTitle(feed.feed));
  const stuck = state.feeds.reduce(
    (sum, { stuck }) => sum + stuck.refused + stuck.parked + stuck.held + stuck.rejected,
    0,
  );
  const says = {
    green: "All feeds are in order.",
    amber: `${named.join(", ")}: worth a look.`,
    red: `${named.join(", ")}: act now.`,
    grey: `${named.join(", ")}: not known yet.`,
  }[worst];
  return (
    <Text fontWeight="medium" overflowWrap="anywhere">
      {says} {stuck === 0 ? "Nothing is stuck." : `${plural(stuck, "row")} ${stuck === 1 ? "is" : "are"} stuck.`}
    </Text>
  );
}

export function Overview() {
  const { pair } = useChosen();
  const now = useNow(3);
  const query = useQuery({
    queryKey: [pair.name, "overview"],
    queryFn: ({ signal }) => get<State>(`${path(pair.name)}/overview`, signal),
    refetchInterval: 30_000,
  });
  return (
    <Loaded query={query} what="The overview" lines={10}>
      {(state) => {
        const shift = query.dataUpdatedAt - Date.parse(state.now); // ages are the server's, whatever this machine's clock says
        return (
          <Stack gap={4}>
            <Flex justify="space-between" align="center" wrap="wrap" gap={2}>
              <Sentence state={state} />
              <Flex align="center" gap={2} fontSize="sm" color="fg.muted">
                <span>updated {ago(new Date(query.dataUpdatedAt).toISOString(), now)}, anew every 30 s</span>
                <Button size="xs" variant="outline" loading={query.isFetching} onClick={() => query.refetch()}>
                  Refresh
                </Button>
              </Flex>
            </Flex>
            {state.feeds.length === 0 && (
              <Empty title="No feed is carried yet">
                Open the Set-up view, then start a run of {pair.dags.devices}.
              </Empty>
            )}
            <SimpleGrid columns={{ base: 1, lg: state.feeds.length > 2 ? 3 : 2 }} gap={4}>
              {state.feeds.map((feed) => (
                <FeedCard key={feed.feed} feed={feed} now={now - shift} />
              ))}
            </SimpleGrid>
            <SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
              <Card title="What it costs" gap={4}>
                {state.quotas.length === 0 && (
                  <Text color="fg.muted">No run has told yet how much of the quotas it used.</Text>
                )}
                {state.quotas.map((quota) => (
                  <Meter key={quota.service} quota={quota} now={now - shift} />
                ))}
              </Card>
              <Card title="On its way">
                <Noticed changes={state.waiting_changes} />
              </Card>
            </SimpleGrid>
          </Stack>
        );
      }}
    </Loaded>
  );
}
