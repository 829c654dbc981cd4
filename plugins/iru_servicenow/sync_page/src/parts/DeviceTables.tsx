/** A device's applications, and what was said about it before. */

import { Flex, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { get, path, query as search } from "../lib/api";
import { feedTitle } from "../lib/format";
import { useChosen, useNow, usePaged } from "../lib/hooks";
import type { DeviceApp, Page, Verdict } from "../lib/types";
import { VERDICT_COLUMNS } from "../views/StuckDialog";
import { Card, Clip, Empty, Tag, Time } from "./basics";
import { Choose } from "./Choose";
import { PagedTable, type Col } from "./DataTable";
import { Download } from "./Download";

export function Apps({ id }: { id: string }) {
  const { pair } = useChosen();
  const [active, setActive] = useState("true");
  const [sort, setSort] = useState<"name" | "last_opened">("name");
  const now = useNow(30);
  const paged = usePaged<DeviceApp>([pair.name, "device", id, "apps", active, sort], (cursor, signal) =>
    get<Page<DeviceApp>>(path(pair.name, "devices", id, "apps") + search({ active, sort, cursor, limit: 50 }), signal),
  );
  const columns: Col<DeviceApp>[] = [
    {
      head: "Name",
      sort: { is: sort === "name", descends: false, set: () => setSort("name") },
      cell: (app) => <Clip width="18rem">{app.name}</Clip>,
    },
    { head: "Publisher", cell: (app) => <Clip width="14rem">{app.publisher}</Clip> },
    { head: "Version", cell: (app) => <Clip width="8rem">{app.version}</Clip> },
    { head: "Path", cell: (app) => <Clip width="16rem">{app.path}</Clip> },
    {
      head: "Last opened",
      sort: { is: sort === "last_opened", descends: true, set: () => setSort("last_opened") },
      cell: (app) =>
        app.last_opened ? (
          <Time iso={app.last_opened} now={now} />
        ) : (
          <Text as="span" color="fg.muted">
            not told
          </Text>
        ),
    },
    {
      head: "State",
      cell: (app) => (
        <Stack gap={1} align="start">
          <Tag word={app.active ? "installed" : "removed"} hue={app.active ? "green" : "gray"} />
          {app.unconfirmed && <Tag word="unconfirmed" hue="red" />}
          {app.message && <Clip width="14rem">{app.message}</Clip>}
        </Stack>
      ),
    },
    { head: "Confirmed", cell: (app) => <Time iso={app.confirmed_at} now={now} /> },
  ];
  return (
    <Card
      title="Applications"
      aside={
        <Flex gap={3} wrap="wrap">
          <Choose
            label="Show"
            value={active}
            options={[
              ["true", "Installed"],
              ["false", "Removed"],
              ["all", "All"],
            ]}
            onChange={setActive}
          />
          <Download table="device_apps" device_id={id} filters={{ active, sort }} name="the applications" />
        </Flex>
      }
    >
      <PagedTable
        paged={paged}
        what="Applications"
        caption="Applications on this device"
        columns={columns}
        rowKey={(app) => app.key}
        empty={
          <Empty title="No such application is known on this device">
            Applications come with the nightly run of {pair.dags.apps}.
          </Empty>
        }
      />
    </Card>
  );
}

export function History({ id }: { id: string }) {
  const { pair } = useChosen();
  const paged = usePaged<Verdict>([pair.name, "device", id, "history"], (cursor, signal) =>
    get<Page<Verdict>>(path(pair.name, "devices", id, "history") + search({ cursor, limit: 25 }), signal),
  );
  const columns: Col<Verdict>[] = [
    VERDICT_COLUMNS[0]!,
    { head: "Feed", cell: (one) => feedTitle(one.feed) },
    { head: "Row", cell: (one) => <Clip width="14rem">{one.name || one.key_shown}</Clip> },
    ...VERDICT_COLUMNS.slice(1),
  ];
  return (
    <Card title="History" aside={<Download table="history" device_id={id} filters={{}} name="the history" />}>
      <PagedTable
        paged={paged}
        what="History"
        caption="Verdicts about this device, newest first"
        columns={columns}
        rowKey={(one) => `${one.at} ${one.feed} ${one.key} ${one.verdict}`}
        empty={<Empty title="No verdict about this device is kept" />}
      />
    </Card>
  );
}
