import { ChakraProvider } from "@chakra-ui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { currentTheme, joinHashes } from "./lib/airflow";
import { ApiError } from "./lib/api";
import { isRoute } from "./lib/route";
import { system } from "./theme";

document.documentElement.classList.add(currentTheme()); // before the first paint
joinHashes(isRoute);

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // Only what may pass is asked again: a right that is missing stays missing.
      retry: (failed, error) => failed < 1 && error instanceof ApiError && (error.status === 0 || error.status === 503),
      retryDelay: 1500,
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <ChakraProvider value={system}>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </ChakraProvider>
  </StrictMode>,
);
