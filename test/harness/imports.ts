import { globSync } from "node:fs";
import { importsOf, root, type Import } from "./read-imports.ts";

export { root, type Import };

/** Every file of the product, from the root. */
export const sources = globSync(["server/**/*.ts", "commands/**/*.ts", "ui/**/*.{ts,tsx}"], { cwd: root }).sort();

/** By the importing file. */
export const imports: ReadonlyMap<string, readonly Import[]> = new Map(sources.map((file) => [file, importsOf(file)]));

/** The room that a file of ours lies in: a folder of server/, or `commands`, `ui`, `server` for its own files. */
export const roomOf = (path: string): string | undefined =>
  /^(?:server\/[a-z-]+(?=\/)|server(?=\/[a-z-]+\.ts)|commands|ui(?=\/))/.exec(path)?.[0];
