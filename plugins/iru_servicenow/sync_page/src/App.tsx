/** The frame: header, views, choice of the pair. */

import { Box, Flex, Heading, Link, Stack, Text, VisuallyHidden } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { get } from "./lib/api";
import { PairContext, useHref, useRoute, useTheme } from "./lib/hooks";
import { format, type Route, type View } from "./lib/route";
import type { Pair, Pairs } from "./lib/types";
import { Empty, Loaded } from "./parts/basics";
import { Device } from "./views/Device";
import { Devices } from "./views/Devices";
import { Fleet } from "./views/Fleet";
import { Overview } from "./views/Overview";
import { Choose } from "./parts/Choose";
import { Runs } from "./views/Runs";
import { Setup } from "./views/Setup";
import { Stuck } from "./views/Stuck";

const VIEWS: { view: View; title: string; may: (pair: Pair) => boolean }[] = [
  { view: "overview", title: "Overview", may: () => true },
  { view: "runs", title: "Runs", may: () => true },
  { view: "stuck", title: "Stuck rows", may: () => true },
  { view: "devices", title: "Devices", may: (pair) => pair.may.read_devices },
  { view: "fleet", title: "Fleet", may: () => true },
  { view: "setup", title: "Set-up", may: (pair) => pair.may.read_setup },
];

function Shown({ route }: { route: Route }) {
  if (route.view === "runs") return <Runs />;
  if (route.view === "stuck") return <Stuck />;
  if (route.view === "devices") return route.id ? <Device key={route.id} id={route.id} /> : <Devices />;
  if (route.view === "fleet") return <Fleet />;
  if (route.view === "setup") return <Setup />;
  return <Overview />;
}

function Views({ route }: { route: Route }) {
  const href = useHref();
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const here = bar.current?.querySelector<HTMLElement>("[aria-current]");
    if (here) bar.current!.scrollLeft = here.offsetLeft - (bar.current!.clientWidth - here.offsetWidth) / 2; // in a narrow window
  }, [route.view]);
  return (
    <Flex
      as="nav"
      ref={bar}
      position="relative"
      aria-label="Views"
      overflowX="auto"
      borderBottomWidth="1px"
      gap={1}
      mx={-1}
      px={1}
    >
      {VIEWS.map(({ view, title }) => (
        <Link
          key={view}
          href={href(view)}
          aria-current={route.view === view ? "page" : undefined}
          px={3}
          py={2}
          whiteSpace="nowrap"
          borderRadius={0}
          fontWeight={route.view === view ? "semibold" : "normal"}
          color={route.view === view ? "fg" : "fg.muted"}
          borderBottomWidth="3px"
          mb="-1px"
          outlineOffset="-2px"
          borderBottomColor={route.view === view ? "brand.solid" : "transparent"}
          _hover={{ textDecoration: "none", color: "fg", bg: "gray.subtle" }}
        >
          {title}
        </Link>
      ))}
    </Flex>
  );
}

function Framed({ pairs }: { pairs: Pair[] }) {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const pair = pairs.find(({ name }) => name === route.pair) ?? pairs[0]!;
  const several = pairs.length > 1;
  const isFirst = useRef(true);
  const title = VIEWS.find(({ view }) => view === route.view)!.title;
  useEffect(() => {
    document.title = `${title}, Iru → ServiceNow`;
    if (isFirst.current) isFirst.current = false;
    else main.current?.focus({ preventScroll: true }); // a reader hears where he is now
    window.scrollTo(0, 0);
  }, [title, route.id]);
  const allowed = VIEWS.find(({ view }) => view === route.view)!.may(pair);
  return (
    <PairContext value={{ pair, several }}>
      <Stack as="header" gap={3} pt={4}>
        <Flex justify="space-between" align="end" wrap="wrap" gap={3}>
          <Box minW={0}>
            <Heading as="h1" size="xl">
              Iru → ServiceNow<VisuallyHidden>: {title}</VisuallyHidden>
            </Heading>
            <Text fontSize="sm" color="fg.muted" overflowWrap="anywhere">
              {pair.iru} → {pair.servicenow}
            </Text>
          </Box>
          {several && (
            <Choose
              label="Pair"
              value={pair.name}
              options={pairs.map((one) => [one.name, one.title])}
              onChange={(name) => {
                window.location.hash = format({ pair: name, view: route.view, query: route.query });
              }}
            />
          )}
        </Flex>
        <Views route={route} />
      </Stack>
      <Box as="main" id="main" ref={main} tabIndex={-1} py={4} outline="none" minW={0}>
        {allowed ? (
          <Shown key={pair.name} route={route} />
        ) : (
          <Empty title="You may not see this">
            It takes Airflow's right to read the DAG {route.view === "setup" ? pair.dags.preflight : pair.dags.devices}.
          </Empty>
        )}
      </Box>
    </PairContext>
  );
}

export function App() {
  const theme = useTheme();
  useEffect(() => {
    const root = document.documentElement;
    root.classList.remove("light", "dark");
    root.classList.add(theme);
    root.style.colorScheme = theme;
  }, [theme]);
  const query = useQuery({
    queryKey: ["pairs"],
    queryFn: ({ signal }) => get<Pairs>("/pairs", signal),
    staleTime: 300_000,
  });
  return (
    <Box maxW="1600px" mx="auto" px={{ base: 3, md: 5 }}>
      <Link
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
        position="absolute"
        left="-999px"
        _focus={{ left: 2, top: 2, bg: "bg", p: 2, zIndex: "skipNav" }}
      >
        Skip to the content
      </Link>
      {query.data === undefined || query.data.pairs.length === 0 ? (
        <Box as="main" id="main" tabIndex={-1} py={6}>
          <Heading as="h1" size="xl" mb={4}>
            Iru → ServiceNow
          </Heading>
          <Loaded query={query} what="The page" lines={8}>
            {() => (
              <Empty title="There is nothing that you may see">Ask for the right to read the DAGs of a pair.</Empty>
            )}
          </Loaded>
        </Box>
      ) : (
        <Framed pairs={query.data.pairs} />
      )}
    </Box>
  );
}
