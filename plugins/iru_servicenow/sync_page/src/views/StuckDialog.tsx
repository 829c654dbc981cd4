/** One stuck row: as it was sent, what ServiceNow said, what it holds, and what happened before. */

import { Box, CloseButton, Dialog, Heading, Portal, Stack, Text } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { path, post } from "../lib/api";
import { capital, feedTitle, plain, plural } from "../lib/format";
import { useChosen } from "../lib/hooks";
import type { Order, StuckDetail, StuckRow, Verdict } from "../lib/types";
import { Clip, Empty, Loaded, OutLink, RunLink, Tag, Time } from "../parts/basics";
import { Rows, type Col } from "../parts/DataTable";
import { OrderBar, type Ordered } from "../parts/Order";

export const VERDICT_COLUMNS: Col<Verdict>[] = [
  { head: "When", cell: (one) => <Time iso={one.at} exact /> },
  { head: "Verdict", cell: (one) => <Tag word={one.verdict} /> },
  { head: "Message", cell: (one) => <Clip>{one.message}</Clip> },
  {
    head: "Run",
    cell: (one) => (
      <RunLink dagId={one.dag_id} runId={one.run_id}>
        Run
      </RunLink>
    ),
  },
  {
    head: "Import set",
    cell: (one) => (one.import_set ? <OutLink href={one.import_set.url}>{one.import_set.name}</OutLink> : "–"),
  },
];

const Value = ({ text }: { text: string | undefined }) =>
  text === undefined ? (
    <Text as="span" color="fg.muted">
      –
    </Text>
  ) : text === "" ? (
    <Text as="span" color="fg.muted">
      empty
    </Text>
  ) : (
    <Clip width="14rem">{text}</Clip>
  );

function Sent({ detail }: { detail: StuckDetail }) {
  if (!detail.sent && !detail.confirmed) return <Empty title="This row has never been sent" />;
  return (
    <Rows
      caption="The row, field by field"
      rows={detail.columns}
      rowKey={(col) => col.column}
      columns={[
        {
          head: "Field",
          cell: (col) => (
            <>
              {col.label}
              <Text fontSize="xs" color="fg.muted">
                {col.target ? `${col.column} → ${col.target}` : col.column}
              </Text>
            </>
          ),
        },
        { head: "As sent", cell: (col) => <Value text={detail.sent?.[col.column]} /> },
        { head: "Confirmed before", cell: (col) => <Value text={detail.confirmed?.[col.column]} /> },
        {
          head: "State",
          cell: (col) => (detail.sent?.[col.column] === detail.confirmed?.[col.column] ? "same" : <b>differs</b>),
        },
      ]}
    />
  );
}

const ORDERS: Col<Order>[] = [
  { head: "Ordered", cell: (order) => <Time iso={order.ordered_at} exact /> },
  { head: "By", cell: (order) => <Clip width="10rem">{order.ordered_by}</Clip> },
  { head: "Action", cell: (order) => capital(order.action) },
  { head: "Reason", cell: (order) => <Clip width="16rem">{order.reason}</Clip> },
  { head: "State", cell: (order) => <Tag word={order.state} /> },
];

export function StuckDialog({
  row,
  onClose,
  onDone,
}: {
  row: StuckRow;
  onClose: () => void;
  onDone: (done: Parameters<typeof Ordered>[0]["done"]) => void;
}) {
  const { pair } = useChosen();
  const query = useQuery({
    queryKey: [pair.name, "stuck", "row", row.feed, row.key],
    queryFn: ({ signal }) =>
      post<StuckDetail>(path(pair.name, "stuck", "row"), { feed: row.feed, key: row.key }, signal),
  });
  return (
    <Dialog.Root
      open
      onOpenChange={(change) => {
        if (!change.open) onClose();
      }}
      size="xl"
      scrollBehavior="inside"
      placement="center"
    >
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner p={{ base: 0, md: 4 }}>
          <Dialog.Content maxW="60rem">
            <Dialog.Header pe={12}>
              <Dialog.Title overflowWrap="anywhere" minW={0}>
                {plain(row.name || row.key_shown)}
              </Dialog.Title>
            </Dialog.Header>
            <Dialog.Body tabIndex={0}>
              <Stack gap={4}>
                <Box fontSize="sm">
                  <Text overflowWrap="anywhere">
                    {feedTitle(row.feed)}, key {row.key_shown}
                  </Text>
                  <Text>
                    <Tag word={row.verdict || row.kind} /> {row.attempts > 0 && `${plural(row.attempts, "attempt")}, `}
                    since <Time iso={row.since} />
                  </Text>
                </Box>
                <Box
                  borderLeftWidth="4px"
                  borderColor="orange.solid"
                  ps={3}
                  overflowWrap="anywhere"
                  whiteSpace="pre-wrap"
                >
                  {plain(row.message) || "No message."}
                </Box>
                <OrderBar rows={[row]} flowOf={(feed) => pair.flows[feed] ?? "devices"} onDone={onDone} />
                <Loaded query={query} what="The row">
                  {(detail) => (
                    <Stack gap={4}>
                      {detail.import_set && (
                        <OutLink href={detail.import_set.url}>Import set {detail.import_set.name}</OutLink>
                      )}
                      <Sent detail={detail} />
                      <Heading as="h3" size="sm">
                        Verdicts so far
                      </Heading>
                      {detail.history.length > 0 ? (
                        <Rows
                          caption="Verdicts so far"
                          rows={detail.history}
                          rowKey={(one) => `${one.at} ${one.run_id} ${one.verdict}`}
                          columns={VERDICT_COLUMNS}
                        />
                      ) : (
                        <Empty title="No earlier verdict is kept" />
                      )}
                      <Heading as="h3" size="sm">
                        Orders
                      </Heading>
                      {detail.orders.length > 0 ? (
                        <Rows
                          caption="Orders for this row"
                          rows={detail.orders}
                          rowKey={(order) => String(order.order_id)}
                          columns={ORDERS}
                        />
                      ) : (
                        <Empty title="Nobody has ordered anything for this row" />
                      )}
                    </Stack>
                  )}
                </Loaded>
              </Stack>
            </Dialog.Body>
            <Dialog.CloseTrigger asChild>
              <CloseButton size="sm" aria-label="Close" />
            </Dialog.CloseTrigger>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
}
