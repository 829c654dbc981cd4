/** Release, park or resend chosen rows: why a button is off, what will happen, and the run that may begin at once. */

import { Box, Button, CloseButton, Dialog, Field, HStack, Portal, Stack, Text, Textarea } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { openInAirflow, runPath } from "../lib/airflow";
import { path, post, startRun } from "../lib/api";
import { ago, feedTitle, plural } from "../lib/format";
import { useChosen, useDag } from "../lib/hooks";
import type { Action, Placed, StuckRow } from "../lib/types";
import { Failed, Icon } from "./basics";

export const ACTIONS: { action: Action; verb: string; will: string }[] = [
  { action: "release", verb: "Release", will: "The next run sends them again, and their attempts begin anew." },
  {
    action: "park",
    verb: "Park",
    will: "No run sends them until somebody releases them. ServiceNow keeps what it holds.",
  },
  { action: "resend", verb: "Resend", will: "The next run sends them whole, even if nothing has changed in Iru." },
];

const DONE: Record<Action, string> = { release: "released", park: "parked", resend: "sent again" };

/** Why an action cannot be taken for these rows; null where it can. */
export function hindrance(
  rows: StuckRow[],
  action: Action,
  may: { devices: boolean; apps: boolean },
  flowOf: (feed: string) => "devices" | "apps",
): string | null {
  if (!may.devices && !may.apps) return "You may read here, but not start runs of these DAGs in Airflow.";
  if (rows.length === 0) return "Choose rows first.";
  if (!rows.some((row) => may[flowOf(row.feed)])) return "You may not start runs of this feed's DAG in Airflow.";
  if (!rows.some((row) => row.may_order.includes(action))) return `None of the chosen rows can be ${DONE[action]}.`;
  return null;
}

const byFeed = (rows: StuckRow[]): [string, string[]][] => {
  const feeds = new Map<string, string[]>();
  for (const row of rows) feeds.set(row.feed, [...(feeds.get(row.feed) ?? []), row.key]);
  return [...feeds];
};

type Done = { action: Action; n: number; dags: string[] };

export function OrderBar({
  rows,
  flowOf,
  onDone,
}: {
  rows: StuckRow[];
  flowOf: (feed: string) => "devices" | "apps";
  onDone: (done: Done) => void;
}) {
  const { pair } = useChosen();
  const [asked, setAsked] = useState<Action | null>(null);
  const may = { devices: pair.may.write_devices, apps: pair.may.write_apps };
  return (
    <HStack wrap="wrap" gap={2} role="group" aria-label="What to do with the chosen rows">
      <Text fontSize="sm" role="status" minW="7rem">
        {rows.length === 0 ? "No rows chosen" : `${plural(rows.length, "row")} chosen`}
      </Text>
      {ACTIONS.map(({ action, verb }) => {
        const why = hindrance(rows, action, may, flowOf);
        return (
          <Button
            key={action}
            size="xs"
            variant="outline"
            aria-disabled={why !== null}
            title={why ?? undefined}
            opacity={why ? 0.65 : 1}
            aria-describedby={why ? `why-${action}` : undefined}
            cursor={why ? "not-allowed" : "pointer"}
            onClick={() => why === null && setAsked(action)}
          >
            {verb}
            {why && (
              <span id={`why-${action}`} hidden>
                {why}
              </span>
            )}
          </Button>
        );
      })}
      {!may.devices && !may.apps && (
        <Text fontSize="sm" color="fg.muted">
          You may look, but not order: that takes the right to start runs.
        </Text>
      )}
      {asked && (
        <Confirm
          action={asked}
          rows={rows.filter((row) => row.may_order.includes(asked) && may[flowOf(row.feed)])}
          of={rows.length}
          onClose={() => setAsked(null)}
          onDone={(done) => {
            setAsked(null);
            onDone(done);
          }}
        />
      )}
    </HStack>
  );
}

function Confirm({
  action,
  rows,
  of,
  onClose,
  onDone,
}: {
  action: Action;
  rows: StuckRow[];
  of: number;
  onClose: () => void;
  onDone: (done: Done) => void;
}) {
  const { pair } = useChosen();
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const { verb, will } = ACTIONS.find((one) => one.action === action)!;
  const work = useMutation({
    mutationFn: async () => {
      const done: Done = { action, n: 0, dags: [] };
      for (const [feed, keys] of byFeed(rows)) {
        for (let at = 0; at < keys.length; at += 500) {
          const { placed, starts_with } = await post<Placed>(path(pair.name, "orders"), {
            feed,
            keys: keys.slice(at, at + 500),
            action,
            reason: reason.trim(),
          });
          done.n += placed;
          if (!done.dags.includes(starts_with)) done.dags.push(starts_with);
        }
      }
      return done;
    },
    onSuccess: onDone,
    onSettled: () =>
      Promise.all(["stuck", "orders", "device"].map((key) => client.invalidateQueries({ queryKey: [pair.name, key] }))),
  });
  return (
    <Dialog.Root
      open
      onOpenChange={(change) => {
        if (!change.open && !work.isPending) onClose();
      }}
      placement="center"
    >
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner p={3}>
          <Dialog.Content>
            <form
              onSubmit={(event) => {
                event.preventDefault();
                if (reason.trim()) work.mutate();
              }}
            >
              <Dialog.Header>
                <Dialog.Title>
                  {verb} {plural(rows.length, "row")}?
                </Dialog.Title>
              </Dialog.Header>
              <Dialog.Body>
                <Stack gap={3}>
                  <Text>
                    {byFeed(rows)
                      .map(([feed, keys]) => `${feedTitle(feed)}: ${plural(keys.length, "row")}`)
                      .join("; ")}
                    . {will}
                  </Text>
                  {rows.length < of && (
                    <Text color="fg.muted">
                      {plural(of - rows.length, "chosen row")} cannot be ordered so, and stay as they are.
                    </Text>
                  )}
                  <Field.Root required>
                    <Field.Label>
                      Reason <Field.RequiredIndicator />
                    </Field.Label>
                    <Textarea
                      value={reason}
                      maxLength={500}
                      rows={3}
                      onChange={(event) => setReason(event.target.value)}
                    />
                    <Field.HelperText color="fg.muted">
                      Kept with your name in the list of orders. No personal data, please.
                    </Field.HelperText>
                  </Field.Root>
                  {work.error && <Failed what="The answer to your order" error={work.error} />}
                </Stack>
              </Dialog.Body>
              <Dialog.Footer>
                <Button variant="outline" type="button" onClick={onClose} disabled={work.isPending}>
                  Cancel
                </Button>
                <Button type="submit" loading={work.isPending} disabled={reason.trim() === ""}>
                  {verb} {plural(rows.length, "row")}
                </Button>
              </Dialog.Footer>
            </form>
            <Dialog.CloseTrigger asChild>
              <CloseButton size="sm" aria-label="Close" />
            </Dialog.CloseTrigger>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
}

/** What was ordered, when it happens, and how to make it happen now. */
export function Ordered({ done, onClose }: { done: Done; onClose: () => void }) {
  return (
    <Box
      role="status"
      borderWidth="1px"
      borderColor="green.emphasized"
      bg="green.subtle"
      color="green.fg"
      borderRadius="md"
      p={3}
    >
      <HStack align="start" gap={2}>
        <Box pt={1}>
          <Icon sign="check" />
        </Box>
        <Stack gap={2} flex={1} minW={0}>
          <Text fontWeight="semibold">
            Ordered: {plural(done.n, "row")} will be {DONE[done.action]}.
          </Text>
          {done.dags.map((dag) => (
            <StartNow key={dag} dagId={dag} />
          ))}
        </Stack>
        <CloseButton size="xs" aria-label="Close this message" onClick={onClose} />
      </HStack>
    </Box>
  );
}

function StartNow({ dagId }: { dagId: string }) {
  const dag = useDag(dagId);
  const start = useMutation({ mutationFn: () => startRun(dagId) });
  const when = dag.data?.is_paused
    ? "is paused in Airflow"
    : dag.data?.next_dagrun_run_after
      ? `runs next ${ago(dag.data.next_dagrun_run_after)}`
      : "runs next when somebody starts it";
  const started = start.data?.dag_run_id;
  return (
    <Stack direction="row" wrap="wrap" align="center" gap={2}>
      {started ? (
        <>
          <Text>A run of {dagId} has been started.</Text>
          <Button size="xs" variant="outline" color="green.fg" onClick={() => openInAirflow(runPath(dagId, started))}>
            Look at the run
          </Button>
        </>
      ) : (
        <>
          <Text>
            {dagId} {when}.
          </Text>
          <Button size="xs" variant="outline" color="green.fg" loading={start.isPending} onClick={() => start.mutate()}>
            Start a run now
          </Button>
          {start.error && (
            <Text color="red.fg" role="alert">
              Airflow did not start it: {start.error.message}
            </Text>
          )}
        </>
      )}
    </Stack>
  );
}
