/** Find a device: by serial number, name, model, OS or user. */

import { Input, Link, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { path, post } from "../lib/api";
import { number } from "../lib/format";
import { useChosen, useHref, useNow, usePaged, useSettled } from "../lib/hooks";
import type { DeviceRow, Page } from "../lib/types";
import { Card, Clip, Empty, Tag, Time } from "../parts/basics";
import { PagedTable, type Col } from "../parts/DataTable";
import { Download } from "../parts/Download";

export function Devices() {
  const { pair } = useChosen();
  const href = useHref();
  const now = useNow(15);
  const [text, setText] = useState("");
  const words = useSettled(text.trim());
  const filters = words ? { search: words } : {};
  const paged = usePaged<DeviceRow>([pair.name, "devices", words], (cursor, signal) =>
    post<Page<DeviceRow>>(path(pair.name, "devices"), { ...filters, cursor, limit: 50 }, signal),
  );
  const columns: Col<DeviceRow>[] = [
    {
      head: "Serial number",
      cell: (row) =>
        row.device_id ? (
          <Link href={href("devices", row.device_id)} color="blue.fg" textDecoration="underline" whiteSpace="nowrap">
            {row.serial_number}
          </Link>
        ) : (
          <Text as="span" title="No MDM record is known for this computer yet">
            {row.serial_number}
          </Text>
        ),
    },
    { head: "Name", cell: (row) => <Clip width="18rem">{row.name}</Clip> },
    { head: "Model", cell: (row) => <Clip width="16rem">{row.model}</Clip> },
    { head: "OS", cell: (row) => `${row.os_type} ${row.os_version}` },
    {
      head: "State",
      cell: (row) => (
        <Stack direction="row" gap={1} wrap="wrap">
          <Tag word={row.verdict} />
          {!row.is_active && <Tag word="gone from Iru" hue="orange" />}
        </Stack>
      ),
    },
    { head: "Confirmed", cell: (row) => <Time iso={row.confirmed_at} now={now} /> },
    { head: "Apps", isNumber: true, cell: (row) => number(row.apps) },
  ];
  return (
    <Card title="Devices" aside={<Download table="devices" filters={filters} name="the devices" />}>
      <Input
        size="sm"
        maxW="26rem"
        type="search"
        placeholder="Serial number, name, model, OS, e-mail …"
        aria-label="Search devices"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <PagedTable
        paged={paged}
        what="Devices"
        caption="Devices in the ledger"
        columns={columns}
        rowKey={(row) => `${row.device_id} ${row.serial_number}`}
        empty={
          words ? (
            <Empty title="No device is like that">
              Search for a part of the serial number, name, model, OS or e-mail address.
            </Empty>
          ) : (
            <Empty title="The ledger knows no device yet">Start a run of {pair.dags.devices} in Airflow.</Empty>
          )
        }
      />
    </Card>
  );
}
