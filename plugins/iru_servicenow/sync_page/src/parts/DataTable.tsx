/** One table for all views: caption, sortable headers, rows to choose, pages. It scrolls in its own container. */

import { Box, Button, Checkbox, HStack, Table, Text, VisuallyHidden } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { number } from "../lib/format";
import type { Paged } from "../lib/hooks";
import { Empty, Failed, Waiting } from "./basics";

export type Col<T> = {
  head: string;
  cell: (row: T) => ReactNode;
  isNumber?: boolean;
  hint?: string;
  sort?: { is: boolean; descends: boolean; set: () => void };
};
export type Choice<T> = { has: (row: T) => boolean; set: (rows: T[], on: boolean) => void; label: (row: T) => string };

type Look<T> = { caption: string; columns: Col<T>[]; rowKey: (row: T) => string; choice?: Choice<T> };

const Tick = ({
  checked,
  label,
  onChange,
}: {
  checked: boolean | "indeterminate";
  label: string;
  onChange: (on: boolean) => void;
}) => (
  <Checkbox.Root size="sm" checked={checked} onCheckedChange={(change) => onChange(change.checked === true)}>
    <Checkbox.HiddenInput aria-label={label} />
    <Checkbox.Control borderColor="gray.500" />
  </Checkbox.Root>
);

function Head<T>({ col }: { col: Col<T> }) {
  const { sort } = col;
  return (
    <Table.ColumnHeader
      scope="col"
      textAlign={col.isNumber ? "end" : "start"}
      whiteSpace="nowrap"
      title={col.hint}
      color="fg"
      aria-sort={sort?.is ? (sort.descends ? "descending" : "ascending") : undefined}
    >
      {sort ? (
        <Button
          size="xs"
          variant="plain"
          px={0}
          h="auto"
          minW={0}
          fontWeight="semibold"
          fontSize="sm"
          color="fg"
          onClick={sort.set}
        >
          {col.head}
          <Box as="span" aria-hidden="true" color={sort.is ? "fg" : "fg.muted"}>
            {sort.is ? (sort.descends ? "▼" : "▲") : "↕"}
          </Box>
        </Button>
      ) : (
        col.head
      )}
    </Table.ColumnHeader>
  );
}

export function Rows<T>({
  rows,
  caption,
  columns,
  rowKey,
  choice,
  dim = false,
}: Look<T> & { rows: T[]; dim?: boolean }) {
  const chosen = choice ? rows.filter(choice.has).length : 0;
  const all = chosen === rows.length && rows.length > 0;
  return (
    <Box
      overflowX="auto"
      tabIndex={0}
      role="region"
      aria-label={caption}
      borderWidth="1px"
      borderRadius="md"
      position="relative"
    >
      <Table.Root size="sm" opacity={dim ? 0.6 : 1} aria-busy={dim}>
        <Table.Caption captionSide="top" position="absolute" w="1px" h="1px" overflow="hidden" m={0} p={0}>
          {caption}
        </Table.Caption>
        <Table.Header>
          <Table.Row bg="gray.subtle">
            {choice && (
              <Table.ColumnHeader scope="col" w="1">
                <Tick
                  checked={all ? true : chosen > 0 ? "indeterminate" : false}
                  label="Choose all rows of this page"
                  onChange={(on) => choice.set(rows, on)}
                />
              </Table.ColumnHeader>
            )}
            {columns.map((col) => (
              <Head key={col.head} col={col} />
            ))}
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {rows.map((row) => (
            <Table.Row
              key={rowKey(row)}
              bg={choice?.has(row) ? { _light: "blue.subtle", _dark: "blue.950" } : undefined}
              _hover={{ bg: "gray.subtle" }}
            >
              {choice && (
                <Table.Cell>
                  <Tick checked={choice.has(row)} label={choice.label(row)} onChange={(on) => choice.set([row], on)} />
                </Table.Cell>
              )}
              {columns.map((col) => (
                <Table.Cell
                  key={col.head}
                  textAlign={col.isNumber ? "end" : "start"}
                  fontVariantNumeric={col.isNumber ? "tabular-nums" : undefined}
                  whiteSpace={col.isNumber ? "nowrap" : undefined}
                  verticalAlign="top"
                >
                  {col.cell(row)}
                </Table.Cell>
              ))}
            </Table.Row>
          ))}
        </Table.Body>
      </Table.Root>
    </Box>
  );
}

export function PagedTable<T>({
  paged,
  what,
  empty,
  ...look
}: Look<T> & { paged: Paged<T>; what: string; empty: ReactNode }) {
  const { result, previous, next } = paged;
  if (result.data === undefined) {
    return result.error ? (
      <Failed what={what} error={result.error} retry={() => result.refetch()} />
    ) : (
      <Waiting lines={6} says={`Loading ${what}`} />
    );
  }
  const { rows, total } = result.data;
  const isBusy = result.isPlaceholderData || (result.isFetching && result.isStale);
  return (
    <>
      {result.error && <Failed what={what} error={result.error} retry={() => result.refetch()} />}
      {rows.length > 0 && <Rows {...look} rows={rows} dim={result.isPlaceholderData} />}
      {rows.length === 0 && !next && empty}
      {rows.length === 0 && next && (
        <Empty title="Nothing among the rows looked at so far">
          The search was cut short, so that it does not slow down a load; “Next” goes on.
        </Empty>
      )}
      <HStack justify="space-between" wrap="wrap" gap={2}>
        <Text role="status" fontSize="sm" color="fg.muted">
          {total.is_exact ? "" : "At least "}
          {number(total.n)} {total.n === 1 ? "row" : "rows"}
          {(previous || next) && `, page ${number(paged.number)}`}
          <VisuallyHidden>{isBusy ? "Loading" : ""}</VisuallyHidden>
        </Text>
        {(previous || next) && (
          <HStack as="nav" aria-label={`Pages of ${what.toLowerCase()}`}>
            <Button size="xs" variant="outline" disabled={!previous} onClick={previous ?? undefined}>
              Previous
            </Button>
            <Button size="xs" variant="outline" disabled={!next} onClick={next ?? undefined}>
              Next
            </Button>
          </HStack>
        )}
      </HStack>
    </>
  );
}
