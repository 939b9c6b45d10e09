import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** The repository. */
export const root = join(import.meta.dirname, "../..");

export interface Import {
  readonly from: string;
  /** A path from the root, a package's name, or `node:…`. */
  readonly to: string;
  readonly typeOnly: boolean;
  /** Loaded once the code gets there, not with the file. */
  readonly onDemand: boolean;
}

/** Every import and re-export of a file. Formatted code only: the formatter keeps one statement in one form. */
export const importsOf = (file: string): readonly Import[] => {
  const text = readFileSync(join(root, file), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
  const statements = text.matchAll(/^(?:import|export)\s(?<what>[^;"]*?\sfrom\s|\s*)"(?<to>[^"]+)";/gms);
  const dynamic = text.matchAll(/\bimport\(\s*"(?<to>[^"]+)"/g);
  return [...statements, ...dynamic].map((match) => {
    const to = match.groups?.["to"] ?? "";
    const what = match.groups?.["what"] ?? "";
    const names = /^\{(.*)\}\s+from\s$/s
      .exec(what)?.[1]
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    return {
      from: file,
      to: to.startsWith(".") ? relative(root, resolve(root, dirname(file), to)) : packageOf(to),
      onDemand: match.groups?.["what"] === undefined,
      typeOnly: what.startsWith("type ") || (names !== undefined && names.every((name) => name.startsWith("type "))),
    };
  });
};

const packageOf = (specifier: string): string => {
  if (specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
};
