import { Box, Text, useCursor, useStdout } from "ink";
import { type ReactElement, useLayoutEffect } from "react";
import type { Live } from "../layout/live.ts";
import { type Line, looks } from "../text/tones.ts";

const LiveLine = ({ line }: { readonly line: Line }): ReactElement => (
  // The line already fits; truncation only guards the moment between a resize and the next view.
  <Text wrap="truncate-end">
    {line.every(({ text }) => text === "") ? " " : ""}
    {line.map(({ text, tone }, index) => (
      <Text key={index} {...looks[tone]}>
        {text}
      </Text>
    ))}
  </Text>
);

/** @param onMount gets Ink's way to print above the live part, `undefined` once Ink has unmounted */
export const LiveScreen = ({
  live,
  onMount,
}: {
  readonly live: Live;
  readonly onMount: (print: ((text: string) => void) | undefined) => void;
}): ReactElement => {
  const { write } = useStdout();
  const { setCursorPosition } = useCursor();
  // Ink trims trailing blanks, the one of the prompt too: the cursor is placed, not printed.
  setCursorPosition(live.cursor);
  useLayoutEffect(() => {
    onMount(write);
    return () => onMount(undefined);
  }, [onMount, write]);
  return (
    <Box flexDirection="column">
      {live.lines.map((line, index) => (
        <LiveLine key={index} line={line} />
      ))}
    </Box>
  );
};
