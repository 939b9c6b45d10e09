import { takeTurn } from "../../thread-priority.ts";

/** Keystrokes matter more than exports. */
export const goBehindOthers = (): void => takeTurn("later");
