import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "attacks");
// Scripts are told in a text form, which one file plays.
const files = globSync(["*.test.ts", "*.story"], { cwd: folder, exclude: ["stories.test.ts"] }).sort();
const textOf = (file: string): string => readFileSync(join(folder, file), "utf8");

test("every attack says what is tried, what it would cost and what happens instead", () => {
  const without = files.filter((file) => !/ATTACK[^]*DANGER[^]*EXPECT/.test(textOf(file)));
  expect(without).toEqual([]);
});

const nameOf = (file: string): string => basename(file).replace(/\.(?:test\.ts|story)$/, "");

/** What a story's own comment says first; for a file that nobody has given a line yet. */
const lineFor = (file: string): string => {
  const [, told = ""] = /ATTACK:?\s+([^]*?)\s*[\n/*#\s]+DANGER/.exec(textOf(file)) ?? [];
  const [sentence = ""] = told.replaceAll(/\s*\n\s*(?:\*|\/\/|#)?\s*/g, " ").split(/[.;]\s|[.;:]$/);
  return `- [${nameOf(file)}](${file}): ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`;
};

/** How much of a name two files share, in words between hyphens. */
const kinship = (one: string, other: string): number => {
  const others = other.split("-");
  const differing = one.split("-").findIndex((word, index) => word !== others[index]);
  return differing === -1 ? others.length : differing;
};

/** Beside the stories of its kind: behind the last line whose file's name has most in common with its own. */
const withLine = (lines: readonly string[], file: string): readonly string[] => {
  const shared = lines.map((line) => kinship(nameOf(file), /^- \[([^\]]+)\]/.exec(line)?.[1] ?? ""));
  const most = Math.max(...shared);
  const behind = most === 0 ? lines.length - 1 : shared.lastIndexOf(most);
  return [...lines.slice(0, behind + 1), lineFor(file), ...lines.slice(behind + 1)];
};

// `vitest run test/attack-list.test.ts -u` takes out the lines of files that are gone and adds those that are missing.
test("the list of attacks is that of the folder", async () => {
  const readme = textOf("README.md").trimEnd();
  const listed = new Set([...readme.matchAll(/^- \[[^\]]+\]\(([^)]+)\)/gm)].map(([, file = ""]) => file));
  const kept = readme
    .split("\n")
    .filter((line) => !line.startsWith("- [") || files.some((file) => line.includes(`(${file})`)));
  const expected = files.filter((file) => !listed.has(file)).reduce(withLine, kept);
  await expect(`${expected.join("\n")}\n`).toMatchFileSnapshot("attacks/README.md");
});
