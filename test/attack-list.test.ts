import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "attacks");
const files = globSync("*.test.ts", { cwd: folder }).sort();
const textOf = (file: string): string => readFileSync(join(folder, file), "utf8");

test("every attack says what is tried, what it would cost and what happens instead", () => {
  const without = files.filter((file) => !/ATTACK[^]*DANGER[^]*EXPECT/.test(textOf(file)));
  expect(without).toEqual([]);
});

/** What a story's own comment says first; for a file that nobody has given a line yet. */
const lineFor = (file: string): string => {
  const [, told = ""] = /ATTACK:?\s+([^]*?)\s*[\n/*\s]+DANGER/.exec(textOf(file)) ?? [];
  const [sentence = ""] = told.replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, " ").split(/[.;]\s|[.;:]$/);
  return `- [${basename(file, ".test.ts")}](${file}): ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`;
};

// `vitest run test/attack-list.test.ts -u` takes out the lines of files that are gone and adds those that are missing.
test("the list of attacks is that of the folder", async () => {
  const readme = textOf("README.md");
  const listed = new Set([...readme.matchAll(/^- \[[^\]]+\]\(([^)]+)\)/gm)].map(([, file = ""]) => file));
  const kept = readme
    .split("\n")
    .filter((line) => !line.startsWith("- [") || files.some((file) => line.includes(`(${file})`)))
    .join("\n");
  const missing = files.filter((file) => !listed.has(file)).map(lineFor);
  const heading = kept.includes("## Since then") ? "" : "\n## Since then\n\n";
  const expected = missing.length === 0 ? kept : `${kept.trimEnd()}\n${heading}${missing.join("\n")}\n`;
  await expect(expected).toMatchFileSnapshot("attacks/README.md");
});
