/** Everything known about one device: what Iru said, what was sent, what ServiceNow holds, field by field. */

import { Box, Button, Flex, Heading, Link, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, path, post } from "../lib/api";
import { feedTitle, plain, plural } from "../lib/format";
import { useChosen, useHref, useNow, useRoute } from "../lib/hooks";
import type { Device as Known, DeviceFeed, Field } from "../lib/types";
import { Card, Clip, Empty, Failed, Icon, Loaded, OutLink, RunLink, Tag, Time } from "../parts/basics";
import { Rows, type Col } from "../parts/DataTable";
import { Apps, History } from "../parts/DeviceTables";

const Value = ({ text }: { text: string | null }) =>
  text === null ? (
    <Text as="span" color="fg.muted">
      not known
    </Text>
  ) : text === "" ? (
    <Text as="span" color="fg.muted">
      empty
    </Text>
  ) : (
    <Clip width="14rem">{text}</Clip>
  );

const STATES = {
  same: { word: "Same", hue: "green.fg", sign: "check" },
  differs: { word: "Differs", hue: "red.fg", sign: "cross" },
  unknown: { word: "Not known", hue: "fg.muted", sign: "question" },
} as const;

const FIELDS: Col<Field>[] = [
  {
    head: "Field",
    cell: (field) => (
      <Box minW="8rem">
        {field.label}
        <Text fontSize="xs" color="fg.muted" overflowWrap="anywhere">
          {field.target ? `${field.column} → ${field.target}` : field.column}
        </Text>
      </Box>
    ),
  },
  { head: "Iru says", cell: (field) => <Value text={field.iru} /> },
  { head: "Sent last", cell: (field) => <Value text={field.sent} /> },
  { head: "Ledger", cell: (field) => <Value text={field.ledger} /> },
  { head: "ServiceNow holds", cell: (field) => <Value text={field.servicenow} /> },
  {
    head: "State",
    cell: (field) => {
      const { word, hue, sign } = STATES[field.state];
      return (
        <Flex as="span" align="center" gap={1} color={hue} whiteSpace="nowrap">
          <Icon sign={sign} size={14} />
          {word}
        </Flex>
      );
    },
  },
];

function FeedTable({ feed, now }: { feed: DeviceFeed; now: number }) {
  return (
    <Card title={feedTitle(feed.feed)} aside={<Tag word={feed.verdict} />}>
      {feed.message && (
        <Box borderLeftWidth="4px" borderColor="orange.solid" ps={3} overflowWrap="anywhere">
          {plain(feed.message)}
        </Box>
      )}
      <Text fontSize="sm" color="fg.muted">
        Confirmed <Time iso={feed.confirmed_at} now={now} />, last tried <Time iso={feed.tried_at} now={now} /> by{" "}
        <RunLink dagId={feed.dag_id} runId={feed.run_id}>
          this run
        </RunLink>
        {feed.attempts > 0 && `, ${plural(feed.attempts, "attempt")}`}
        {feed.import_set && (
          <>
            , in import set <OutLink href={feed.import_set.url}>{feed.import_set.name}</OutLink>
          </>
        )}
        . Iru's values{" "}
        {feed.iru_at ? (
          <>
            are from <Time iso={feed.iru_at} now={now} />
          </>
        ) : (
          "are not kept: ask now"
        )}
        ; ServiceNow's{" "}
        {feed.servicenow_at ? (
          <>
            from <Time iso={feed.servicenow_at} now={now} />
          </>
        ) : (
          "have not been asked for"
        )}
        .
      </Text>
      {feed.fields.length > 0 ? (
        <Rows
          caption={`${feedTitle(feed.feed)}, field by field`}
          rows={feed.fields}
          rowKey={(field) => field.column}
          columns={FIELDS}
        />
      ) : (
        <Empty title="No field is known" />
      )}
    </Card>
  );
}

export function Device({ id }: { id: string }) {
  const { pair } = useChosen();
  const route = useRoute();
  const href = useHref();
  const now = useNow(10);
  const client = useQueryClient();
  const key = [pair.name, "device", id];
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => get<Known>(path(pair.name, "devices", id), signal),
  });
  const ask = useMutation({
    mutationFn: () => post<Known>(path(pair.name, "devices", id, "ask"), {}),
    onSuccess: (known) => client.setQueryData(key, known),
  });
  const tab = route.query.tab ?? "fields";
  const tabs: [string, string][] = [
    ["fields", "Field by field"],
    ["apps", "Applications"],
    ["history", "History"],
  ];
  return (
    <Stack gap={4}>
      <Link href={href("devices")} color="blue.fg" textDecoration="underline" alignSelf="start">
        All devices
      </Link>
      <Loaded query={query} what="The device" lines={8}>
        {({ device, feeds, waiting }) => (
          <Stack gap={4}>
            <Flex justify="space-between" wrap="wrap" gap={3} align="start">
              <Box minW={0}>
                <Heading as="h2" size="lg" overflowWrap="anywhere">
                  {plain(device.name || device.serial_number)}
                </Heading>
                <Text color="fg.muted" overflowWrap="anywhere">
                  {device.serial_number} · {device.model} · {device.os_type} {device.os_version} ·{" "}
                  {plural(device.apps, "app")}
                  {!device.is_active && " · gone from Iru"}
                </Text>
              </Box>
              <Stack align={{ base: "start", md: "end" }} gap={1}>
                <Button size="sm" loading={ask.isPending} loadingText="Asking both …" onClick={() => ask.mutate()}>
                  Ask Iru and ServiceNow now
                </Button>
                <Text role="status" fontSize="xs" color="fg.muted">
                  {ask.isSuccess ? "Asked just now." : "Reads only; takes a few seconds."}
                </Text>
              </Stack>
            </Flex>
            {ask.error && <Failed what="The newest values" error={ask.error} retry={() => ask.mutate()} />}
            {waiting.length > 0 && (
              <Card title="Waiting" level="h3">
                {waiting.map((row) => (
                  <Text key={`${row.feed} ${row.key}`} overflowWrap="anywhere">
                    <Tag word={row.kind} /> {feedTitle(row.feed)}: {plain(row.message)}{" "}
                    <Link
                      href={href("stuck", null, { kind: row.kind, feed: row.feed })}
                      color="blue.fg"
                      textDecoration="underline"
                    >
                      Stuck rows
                    </Link>
                  </Text>
                ))}
              </Card>
            )}
            <Flex as="nav" aria-label="About this device" gap={2} wrap="wrap">
              {tabs.map(([name, title]) => (
                <Button key={name} asChild size="sm" variant={tab === name ? "solid" : "outline"}>
                  <a href={href("devices", id, { tab: name })} aria-current={tab === name ? "page" : undefined}>
                    {title}
                  </a>
                </Button>
              ))}
            </Flex>
            {tab === "fields" &&
              (feeds.length > 0 ? (
                feeds.map((feed) => <FeedTable key={`${feed.feed} ${feed.key}`} feed={feed} now={now} />)
              ) : (
                <Empty title="Nothing of this device has been sent yet" />
              ))}
            {tab === "apps" && <Apps id={id} />}
            {tab === "history" && <History id={id} />}
          </Stack>
        )}
      </Loaded>
    </Stack>
  );
}
