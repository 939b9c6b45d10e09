import type { Start } from "./start.ts";

/** Closes what a start opened. Of several failures the first is thrown, and the others are told: `SuppressedError` shows none of them. */
export const closeAll = async ({ opened, runtime }: Pick<Start, "opened" | "runtime">): Promise<void> => {
  try {
    await opened.disposeAsync();
  } catch (error) {
    let first: unknown = error;
    for (; first instanceof SuppressedError; first = first.suppressed) {
      runtime.report(`another part could not be closed: ${String(first.error)}`);
    }
    throw first;
  }
};
