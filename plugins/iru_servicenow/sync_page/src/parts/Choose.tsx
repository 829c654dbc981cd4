/** A choice among a few, with its label. */

import { HStack, NativeSelect, Text } from "@chakra-ui/react";

export const Choose = ({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: string;
  options: [string, string][];
  onChange: (value: string) => void;
}) => (
  <HStack as="label" gap={2} fontSize="sm">
    <Text as="span" whiteSpace="nowrap">
      {label}
    </Text>
    <NativeSelect.Root size="sm" width="auto">
      <NativeSelect.Field value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </NativeSelect.Field>
      <NativeSelect.Indicator />
    </NativeSelect.Root>
  </HStack>
);
