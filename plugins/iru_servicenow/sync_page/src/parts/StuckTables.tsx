/** Below the stuck rows: what ServiceNow says most often, and who ordered what. */

import { Button, Stack } from "@chakra-ui/react";
import { get, path, query as search } from "../lib/api";
import { capital, feedTitle, number } from "../lib/format";
import { useChosen, usePaged } from "../lib/hooks";
import type { Group, Kind, Order, Page } from "../lib/types";
import { Card, Clip, Empty, Loaded, RunLink, Tag, Time } from "./basics";
import { PagedTable, Rows, type Col } from "./DataTable";
import { Download } from "./Download";

export function Messages({
  query,
  kind,
  onChoose,
}: {
  query: { data: { groups: Group[] } | undefined; error: Error | null; refetch: () => unknown };
  kind: Kind;
  onChoose: (group: Group) => void;
}) {
  return (
    <Card title="Most frequent messages">
      <Loaded query={query} what="The most frequent messages">
        {({ groups }) => {
          const rows = groups.filter((group) => group.kind === kind);
          if (rows.length === 0) return <Empty title={`No message about ${kind} rows`} />;
          return (
            <Rows
              rows={rows}
              caption="Most frequent messages"
              rowKey={(row) => JSON.stringify(row)}
              columns={[
                { head: "Message", cell: (row) => <Clip width="36rem">{row.message}</Clip> },
                { head: "Feed", cell: (row) => feedTitle(row.feed) },
                { head: "Verdict", cell: (row) => <Tag word={row.verdict} /> },
                { head: "Rows", isNumber: true, cell: (row) => number(row.n) },
                {
                  head: "Show",
                  cell: (row) => (
                    <Button
                      size="xs"
                      variant="outline"
                      aria-label={`Show rows with: ${row.message}`}
                      onClick={() => onChoose(row)}
                    >
                      Show rows
                    </Button>
                  ),
                },
              ]}
            />
          );
        }}
      </Loaded>
    </Card>
  );
}

const ORDER_COLUMNS: Col<Order>[] = [
  { head: "Ordered", cell: (order) => <Time iso={order.ordered_at} exact /> },
  { head: "By", cell: (order) => <Clip width="10rem">{order.ordered_by}</Clip> },
  { head: "Action", cell: (order) => capital(order.action) },
  { head: "Row", cell: (order) => <Clip width="16rem">{order.key.replaceAll("\x1f", " / ")}</Clip> },
  { head: "Feed", cell: (order) => feedTitle(order.feed) },
  { head: "Reason", cell: (order) => <Clip width="20rem">{order.reason}</Clip> },
];

export function Orders() {
  const { pair } = useChosen();
  const paged = usePaged<Order>([pair.name, "orders"], (cursor, signal) =>
    get<Page<Order>>(path(pair.name, "orders") + search({ cursor, limit: 25 }), signal),
  );
  const state: Col<Order> = {
    head: "State",
    cell: (order) => (
      <Stack gap={0.5} align="start">
        <Tag word={order.state} hue={order.state === "done" ? "green" : order.state === "open" ? "blue" : "gray"} />
        {order.run_id && (
          <RunLink dagId={pair.dags[pair.flows[order.feed] ?? "devices"]} runId={order.run_id}>
            Run
          </RunLink>
        )}
      </Stack>
    ),
  };
  return (
    <Card title="Orders" aside={<Download table="orders" filters={{}} name="the orders" />}>
      <PagedTable
        paged={paged}
        what="Orders"
        caption="Who ordered what, newest first"
        rowKey={(order) => String(order.order_id)}
        columns={[...ORDER_COLUMNS, state]}
        empty={
          <Empty title="Nobody has ordered anything yet">Choose rows above to release, park or resend them.</Empty>
        }
      />
    </Card>
  );
}
