/** What the fleet is made of, and which software nobody uses. */

import { Input, SimpleGrid, Stack, Text } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, path, post, query as search } from "../lib/api";
import { dayShown, number, plain } from "../lib/format";
import { useChosen, useNow, usePaged, useSettled, useTheme } from "../lib/hooks";
import type { Day, Fact, Fleet as State, Page, Title } from "../lib/types";
import { Card, Clip, Empty, Loaded, Time } from "../parts/basics";
import { PagedTable, type Col } from "../parts/DataTable";
import { Download } from "../parts/Download";
import { SERIES, VERDICT_COLOURS } from "../parts/palette";
import { Plot } from "../parts/Plot";
import { sumDays } from "../lib/days";

const cut = (text: string) => (text.length > 16 ? `${text.slice(0, 15)}…` : text);

const FACTS: { fact: keyof State["facts"]; title: string; label: string }[] = [
  { fact: "os_version", title: "OS versions", label: "OS version" },
  { fact: "model", title: "Models", label: "Model" },
  { fact: "capacity", title: "Storage capacity", label: "Capacity" },
  { fact: "os_type", title: "Operating systems", label: "Operating system" },
];

function FactPlot({ title, label, facts, i }: { title: string; label: string; facts: Fact[]; i: number }) {
  const theme = useTheme();
  return (
    <Plot
      title={title}
      label={label}
      unit="Devices"
      isAcross
      shown={number}
      labels={facts.map((fact) => fact.value || "not told")}
      series={[
        { name: "Devices", colour: SERIES[i % SERIES.length]![theme], values: facts.map((fact) => fact.devices) },
      ]}
      empty="Nothing is known yet: it comes with the first run of the devices."
    />
  );
}

function TopApps() {
  const { pair } = useChosen();
  const theme = useTheme();
  const query = useQuery({
    queryKey: [pair.name, "titles", "top"],
    queryFn: ({ signal }) => post<Page<Title>>(path(pair.name, "titles"), { sort: "installs", limit: 12 }, signal),
  });
  return (
    <Loaded query={query} what="Top applications">
      {({ rows }) => (
        <Plot
          title="Most installed applications"
          label="Application"
          unit="Installs"
          isAcross
          shown={number}
          labels={rows.map((row) => row.name)}
          series={[{ name: "Installs", colour: SERIES[1]![theme], values: rows.map((row) => row.installs) }]}
          empty="No application is known yet: they come with the nightly run."
        />
      )}
    </Loaded>
  );
}

function Removed() {
  const { pair } = useChosen();
  const theme = useTheme();
  const query = useQuery({
    queryKey: [pair.name, "days", "90"],
    queryFn: ({ signal }) => get<{ days: Day[] }>(path(pair.name, "days") + search({ days: 90 }), signal),
  });
  return (
    <Loaded query={query} what="Removed applications">
      {({ days }) => {
        const sums = sumDays(days, "apps");
        return (
          <Plot
            title="Removed applications, 90 days"
            label="Day (UTC)"
            unit="Installs"
            shown={number}
            labels={sums.map(({ day }) => dayShown(day))}
            series={[
              {
                name: "Removed",
                colour: VERDICT_COLOURS.removed![theme],
                values: sums.map(({ counts }) => counts.removed ?? 0),
              },
            ]}
            empty="No run of the applications has been settled in this time."
          />
        );
      }}
    </Loaded>
  );
}

function Unused({ apps }: { apps: State["apps"] }) {
  const theme = useTheme();
  if (!apps.tells_usage) {
    return (
      <Card title="Unused applications">
        <Empty title="This tenant does not tell when an application was last opened">
          Without it, nobody can say what is unused. The mapping's column last_opened says which field of Iru is read.
        </Empty>
      </Card>
    );
  }
  const bars = [
    ["30 days or longer", apps.unused_30],
    ["90 days or longer", apps.unused_90],
    ["180 days or longer", apps.unused_180],
    ["Never opened", apps.never_opened],
  ] as const;
  return (
    <Plot
      title="Unused applications"
      label="Not opened for"
      unit="Installs"
      isAcross
      shown={number}
      labels={bars.map(([name]) => name)}
      series={[{ name: "Installs", colour: SERIES[3]![theme], values: bars.map(([, n]) => n) }]}
      empty=""
    />
  );
}

function Titles({ tells }: { tells: boolean }) {
  const { pair } = useChosen();
  const now = useNow(30);
  const [text, setText] = useState("");
  const [sort, setSort] = useState<"installs" | "unused" | "name">("installs");
  const words = useSettled(text.trim());
  const filters = { sort, ...(words ? { search: words } : {}) };
  const paged = usePaged<Title>([pair.name, "titles", filters], (cursor, signal) =>
    post<Page<Title>>(path(pair.name, "titles"), { ...filters, cursor, limit: 25 }, signal),
  );
  const by = (name: typeof sort, descends: boolean) => ({ is: sort === name, descends, set: () => setSort(name) });
  const unused: Col<Title>[] = tells
    ? [
        { head: "Never opened", isNumber: true, cell: (row) => number(row.never_opened) },
        {
          head: "Unused 30 d",
          hint: "Installs not opened for 30 days or longer",
          isNumber: true,
          cell: (row) => number(row.unused_30),
        },
        {
          head: "Unused 90 d",
          hint: "Installs not opened for 90 days or longer",
          isNumber: true,
          sort: by("unused", true),
          cell: (row) => number(row.unused_90),
        },
        {
          head: "Unused 180 d",
          hint: "Installs not opened for 180 days or longer",
          isNumber: true,
          cell: (row) => number(row.unused_180),
        },
        {
          head: "Last opened",
          cell: (row) =>
            row.newest_opened ? (
              <Time iso={row.newest_opened} now={now} />
            ) : (
              <Text as="span" color="fg.muted">
                never
              </Text>
            ),
        },
      ]
    : [];
  const columns: Col<Title>[] = [
    { head: "Application", sort: by("name", false), cell: (row) => <Clip width="15rem">{row.name}</Clip> },
    { head: "Publisher", cell: (row) => <Clip width="11rem">{row.publisher}</Clip> },
    { head: "Installs", isNumber: true, sort: by("installs", true), cell: (row) => number(row.installs) },
    { head: "Devices", isNumber: true, cell: (row) => number(row.devices) },
    {
      head: "Versions",
      isNumber: true,
      cell: (row) => (
        <>
          {number(row.versions)}
          <Text fontSize="xs" color="fg.muted">
            mostly {cut(plain(row.top_version))}
          </Text>
        </>
      ),
    },
    ...unused,
  ];
  return (
    <Card title="Applications" aside={<Download table="titles" filters={filters} name="the applications" />}>
      <Input
        size="sm"
        maxW="22rem"
        type="search"
        placeholder="Name or publisher …"
        aria-label="Search applications"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <PagedTable
        paged={paged}
        what="Applications"
        caption="Applications over the fleet"
        columns={columns}
        rowKey={(row) => String(row.title_id)}
        empty={
          words ? (
            <Empty title="No application is like that">Search for a part of its name or publisher.</Empty>
          ) : (
            <Empty title="No application is known yet">Start a run of {pair.dags.apps} in Airflow.</Empty>
          )
        }
      />
    </Card>
  );
}

export function Fleet() {
  const { pair } = useChosen();
  const now = useNow(30);
  const query = useQuery({
    queryKey: [pair.name, "fleet"],
    queryFn: ({ signal }) => get<State>(path(pair.name, "fleet"), signal),
  });
  const { read_devices: devices, read_apps: apps } = pair.may;
  return (
    <Loaded query={query} what="The fleet" lines={10}>
      {(fleet) =>
        fleet.devices === 0 && fleet.apps.installs === 0 ? (
          <Empty title="The fleet is not known yet">
            Start a run of {pair.dags.devices} in Airflow; the plots come with it.
          </Empty>
        ) : (
          <Stack gap={4}>
            <Stack direction="row" justify="space-between" wrap="wrap" gap={2}>
              <Text>
                <b>{number(fleet.devices)}</b> devices
                {fleet.as_of && (
                  <>
                    , counted <Time iso={fleet.as_of} now={now} />
                  </>
                )}
                ; <b>{number(fleet.apps.installs)}</b> installs of <b>{number(fleet.apps.titles)}</b> applications
                {fleet.apps.as_of && (
                  <>
                    , counted <Time iso={fleet.apps.as_of} now={now} />
                  </>
                )}
                .
              </Text>
              <Download table="facts" filters={{}} name="the facts of the fleet" />
            </Stack>
            {devices && (
              <SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
                {FACTS.map((one, i) => (
                  <FactPlot key={one.fact} {...one} i={i} facts={fleet.facts[one.fact]} />
                ))}
              </SimpleGrid>
            )}
            {apps && (
              <SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
                <TopApps />
                <Stack gap={4}>
                  <Unused apps={fleet.apps} />
                  <Removed />
                </Stack>
              </SimpleGrid>
            )}
            {apps && <Titles tells={fleet.apps.tells_usage} />}
          </Stack>
        )
      }
    </Loaded>
  );
}
