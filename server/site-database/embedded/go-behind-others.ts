import { takeTurn } from "../../thread-priority.ts";

/** Who types goes before an export. */
export const goBehindOthers = (): void => takeTurn("later");
