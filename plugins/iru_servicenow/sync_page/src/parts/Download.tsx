/** A table as a file, with the filters that are set. */

import { Button, HStack, Menu, Portal, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { download, type DownloadOrder } from "../lib/api";
import { number } from "../lib/format";
import { useChosen } from "../lib/hooks";
import { Icon } from "./basics";

type Table = Omit<DownloadOrder, "format">;

export function Download({ table, filters, device_id, name }: Table & { name: string }) {
  const { pair } = useChosen();
  const work = useMutation({
    mutationFn: (format: "csv" | "parquet") =>
      download(pair.name, { table, format, filters, ...(device_id ? { device_id } : {}) }),
  });
  const left = work.data ?? 0;
  return (
    <HStack gap={2} wrap="wrap">
      <Text role="status" fontSize="sm" color={work.error ? "red.fg" : "fg.muted"}>
        {work.isPending && "Making the file …"}
        {work.error && `No file: ${work.error.message}`}
        {work.isSuccess && (left > 0 ? `The file leaves out ${number(left)} rows; narrow the filters.` : "Downloaded.")}
      </Text>
      <Menu.Root onSelect={({ value }) => work.mutate(value as "csv" | "parquet")}>
        <Menu.Trigger asChild>
          <Button size="xs" variant="outline" loading={work.isPending} aria-label={`Download ${name}`}>
            <Icon sign="down" size={14} /> Download
          </Button>
        </Menu.Trigger>
        <Portal>
          <Menu.Positioner>
            <Menu.Content>
              <Menu.Item value="csv">CSV (spreadsheets)</Menu.Item>
              <Menu.Item value="parquet">Parquet (data tools)</Menu.Item>
            </Menu.Content>
          </Menu.Positioner>
        </Portal>
      </Menu.Root>
    </HStack>
  );
}
