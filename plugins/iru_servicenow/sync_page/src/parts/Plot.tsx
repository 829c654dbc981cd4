/** A plot with its title, units and the same numbers as a table. */

import { Box, Button } from "@chakra-ui/react";
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
  type ChartOptions,
  type Scale,
} from "chart.js";
import { useState } from "react";
import { Bar, Line } from "react-chartjs-2";
import { decimal, plain } from "../lib/format";
import { useTheme } from "../lib/hooks";
import { Card, Clip, Empty } from "./basics";
import { Rows } from "./DataTable";
import { ink } from "./palette";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
);
Chart.defaults.font.family = "Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export type Series = { name: string; values: (number | null)[]; colour: string; dash?: number[] };
type Props = {
  title: string;
  labels: string[];
  label: string;
  series: Series[];
  unit: string;
  empty: string;
  kind?: "bar" | "line";
  isStacked?: boolean;
  isAcross?: boolean;
  shown?: (value: number) => string;
  aside?: React.ReactNode;
};

const cut = (text: string, at: number) => (text.length > at ? `${text.slice(0, at - 1)}…` : text);

function options(
  { unit, label, isStacked, isAcross, shown = decimal, series, kind }: Props,
  theme: "light" | "dark",
): ChartOptions<"bar" | "line"> {
  const { text, grid } = ink(theme);
  const named = (name: string) => ({ display: true, text: name, color: text });
  const values = {
    title: named(unit),
    stacked: isStacked,
    beginAtZero: true,
    grid: { color: grid },
    ticks: {
      color: text,
      precision: 0,
      maxTicksLimit: 7,
      maxRotation: 0,
      autoSkipPadding: 12,
      callback: (value: number | string) => shown(Number(value)),
    },
  };
  const names = {
    title: { ...named(label), display: !isAcross },
    stacked: isStacked,
    offset: true,
    grid: { display: false },
    ticks: {
      color: text,
      autoSkip: !isAcross,
      maxRotation: 0,
      ...(isAcross && {
        callback(this: Scale, i: number | string) {
          return cut(this.getLabelForValue(Number(i)), this.chart.width < 480 ? 16 : 30);
        },
      }),
    },
  };
  return {
    animation: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 },
    indexAxis: isAcross ? "y" : "x",
    maintainAspectRatio: false,
    responsive: true,
    interaction: { mode: "index", intersect: false, axis: isAcross ? "y" : "x" },
    scales: isAcross ? { x: values, y: names } : { x: names, y: values },
    plugins: {
      legend: {
        display: series.length > 1,
        position: "bottom",
        labels: {
          color: text,
          boxWidth: 14,
          ...(kind === "line" && { usePointStyle: true, pointStyle: "line", pointStyleWidth: 28 }),
        },
      },
      tooltip: {
        filter: (item) => item.raw !== null && item.raw !== 0,
        callbacks: { label: (item) => `${item.dataset.label}: ${shown(Number(item.raw))} ${unit.toLowerCase()}` },
      },
    },
  } as ChartOptions<"bar" | "line">;
}

export function Plot(props: Props) {
  const { title, label, series, unit, empty, kind = "bar", isAcross = false, shown = decimal } = props;
  const labels = props.labels.map(plain);
  const theme = useTheme();
  const [asTable, setAsTable] = useState(false);
  const has = labels.length > 0 && series.some((one) => one.values.some((value) => value !== null));
  const look = options(props, theme);
  const back = ink(theme).back;
  const datasets = series.map((one) => ({
    label: one.name,
    data: one.values,
    backgroundColor: one.colour,
    borderColor: kind === "line" ? one.colour : back,
    borderWidth: kind === "line" ? 2 : { top: 1, right: 1, bottom: 0, left: 0 },
    borderDash: one.dash,
    pointRadius: 3,
    maxBarThickness: 36,
    spanGaps: true,
  }));
  const height = isAcross ? `${Math.max(120, labels.length * 26 + 60)}px` : "260px";
  const rows = labels.map((name, i) => ({ name, i }));
  const saying = `${title}, in ${unit.toLowerCase()}. ${labels.length} ${labels.length === 1 ? "entry" : "entries"}; the button "Show as table" gives the numbers.`;
  return (
    <Card
      title={title}
      aside={
        has && (
          <Box display="flex" gap={2} flexWrap="wrap">
            {props.aside}
            <Button
              size="xs"
              variant="outline"
              aria-pressed={asTable}
              aria-label={`Show as table: ${title}`}
              onClick={() => setAsTable(!asTable)}
            >
              Show as table
            </Button>
          </Box>
        )
      }
    >
      {!has && <Empty title={empty} />}
      {has && asTable && (
        <Rows
          caption={title}
          rows={rows}
          rowKey={(row) => String(row.i)}
          columns={[
            { head: label, cell: (row) => <Clip>{row.name}</Clip> },
            ...series.map((one) => ({
              head: series.length > 1 ? one.name : unit,
              isNumber: true,
              cell: (row: { i: number }) => {
                const value = one.values[row.i];
                return value == null ? "–" : shown(value);
              },
            })),
          ]}
        />
      )}
      {has && !asTable && (
        <Box h={height} minW={0} position="relative" w="full">
          {kind === "bar" ? (
            <Bar data={{ labels, datasets }} options={look as ChartOptions<"bar">} role="img" aria-label={saying} />
          ) : (
            <Line
              data={{ labels, datasets } as never}
              options={look as ChartOptions<"line">}
              role="img"
              aria-label={saying}
            />
          )}
        </Box>
      )}
    </Card>
  );
}
