/** The last set-up check: what it found, and what to do. */

import { Box, Button, Flex, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { openInAirflow, runPath } from "../lib/airflow";
import { get, path, startRun } from "../lib/api";
import { plural } from "../lib/format";
import { useChosen, useNow } from "../lib/hooks";
import type { Finding, Setup as State } from "../lib/types";
import { Card, Empty, Icon, Loaded, RunLink, Time } from "../parts/basics";
import { Rows, type Col } from "../parts/DataTable";
import { Download } from "../parts/Download";

const STATES = {
  wrong: { word: "Wrong", hue: "red.fg", sign: "cross" },
  cannot_tell: { word: "Cannot tell", hue: "amber.fg", sign: "question" },
  ok: { word: "In order", hue: "green.fg", sign: "check" },
} as const;

const COLUMNS: Col<Finding>[] = [
  {
    head: "State",
    cell: ({ state, loses_data }) => {
      const { word, hue, sign } = STATES[state];
      return (
        <Box minW="6.5rem">
          <Flex as="span" align="center" gap={1} color={hue} fontWeight="semibold" whiteSpace="nowrap">
            <Icon sign={sign} size={14} />
            {word}
          </Flex>
          {loses_data && state !== "ok" && (
            <Text fontSize="xs" color="red.fg">
              Data would be lost
            </Text>
          )}
        </Box>
      );
    },
  },
  {
    head: "Question",
    cell: (one) => (
      <Box minW="12rem" overflowWrap="anywhere">
        {one.question}
        <Text fontSize="xs" color="fg.muted">
          {one.part} · {one.check}
        </Text>
      </Box>
    ),
  },
  {
    head: "Seen",
    cell: (one) => (
      <Box minW="12rem" maxW="26rem" overflowWrap="anywhere">
        {one.seen || "–"}
      </Box>
    ),
  },
  {
    head: "To do",
    cell: (one) => (
      <Box minW="12rem" maxW="30rem" overflowWrap="anywhere">
        {one.to_do || "nothing"}
      </Box>
    ),
  },
];

const ORDER = ["wrong", "cannot_tell", "ok"];
const sorted = (findings: Finding[]) =>
  [...findings].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || Number(b.loses_data) - Number(a.loses_data),
  );

export function Setup() {
  const { pair } = useChosen();
  const now = useNow(15);
  const query = useQuery({
    queryKey: [pair.name, "setup"],
    queryFn: ({ signal }) => get<State>(path(pair.name, "setup"), signal),
  });
  const start = useMutation({ mutationFn: () => startRun(pair.dags.preflight) });
  const started = start.data?.dag_run_id;
  const check = (
    <Stack gap={1} align="start">
      {started ? (
        <Button size="sm" variant="outline" onClick={() => openInAirflow(runPath(pair.dags.preflight, started))}>
          It runs: look at it
        </Button>
      ) : (
        <Button size="sm" loading={start.isPending} onClick={() => start.mutate()}>
          Check the set-up now
        </Button>
      )}
      <Text role="status" fontSize="sm" color={start.error ? "red.fg" : "fg.muted"}>
        {start.error ? `Airflow did not start it: ${start.error.message}` : ""}
      </Text>
    </Stack>
  );
  return (
    <Loaded query={query} what="The set-up" lines={8}>
      {({ findings, at, run_id, dag_id }) => {
        const n = (state: Finding["state"]) => findings.filter((one) => one.state === state).length;
        if (run_id === null && findings.length === 0) {
          return (
            <Stack gap={3}>
              <Empty title="The set-up has not been checked yet">
                The check asks Iru and ServiceNow, and writes nothing.
              </Empty>
              {check}
            </Stack>
          );
        }
        return (
          <Card title="Set-up" aside={<Download table="setup" filters={{}} name="the findings" />}>
            <Flex justify="space-between" wrap="wrap" gap={3}>
              <Text>
                <b>{n("wrong") > 0 ? `${plural(n("wrong"), "thing")} to mend` : "Nothing is wrong"}</b>,{" "}
                {plural(n("cannot_tell"), "question")} open, {n("ok")} in order. Checked <Time iso={at} now={now} />
                {run_id && (
                  <>
                    {" "}
                    by{" "}
                    <RunLink dagId={dag_id} runId={run_id}>
                      this run
                    </RunLink>
                  </>
                )}
                .
              </Text>
              {check}
            </Flex>
            <Rows
              caption="Findings of the set-up check, worst first"
              rows={sorted(findings)}
              rowKey={(one) => `${one.check} ${one.part} ${one.question}`}
              columns={COLUMNS}
            />
          </Card>
        );
      }}
    </Loaded>
  );
}
