/** What became of a run's rows, as one stacked bar; its legend holds the numbers. */

import { Box, Flex, Text } from "@chakra-ui/react";
import { capital, number } from "../lib/format";
import { useTheme } from "../lib/hooks";
import { VERDICTS, type Counts } from "../lib/types";
import { colour } from "./palette";

export function VerdictBar({ counts, isSmall = false }: { counts: Counts; isSmall?: boolean }) {
  const theme = useTheme();
  const parts = VERDICTS.map((name) => ({ name, n: counts[name] ?? 0 })).filter((part) => part.n > 0);
  if (parts.length === 0)
    return (
      <Text color="fg.muted" fontSize="sm">
        {isSmall ? "no rows" : "The last run carried no rows."}
      </Text>
    );
  const says = parts.map((part) => `${number(part.n)} ${part.name}`).join(", ");
  return (
    <Box minW={isSmall ? "8rem" : 0}>
      <Flex
        role="img"
        aria-label={`Verdicts: ${says}`}
        title={says}
        h={isSmall ? 3 : 4}
        borderRadius="sm"
        overflow="hidden"
        gap="1px"
        borderWidth="1px"
        borderColor="border.emphasized"
      >
        {parts.map(({ name, n }) => (
          <Box key={name} flexGrow={n} flexBasis={0} minW="4px" style={{ background: colour(name, theme) }} />
        ))}
      </Flex>
      {!isSmall && (
        <Flex as="ul" listStyleType="none" wrap="wrap" columnGap={4} rowGap={1} mt={2} fontSize="sm">
          {parts.map(({ name, n }) => (
            <Flex as="li" key={name} align="center" gap={1.5}>
              <Box
                aria-hidden="true"
                w={3}
                h={3}
                borderRadius="sm"
                borderWidth="1px"
                borderColor="border.emphasized"
                style={{ background: colour(name, theme) }}
              />
              {capital(name)}{" "}
              <Text as="span" fontVariantNumeric="tabular-nums" fontWeight="medium">
                {number(n)}
              </Text>
            </Flex>
          ))}
        </Flex>
      )}
    </Box>
  );
}
