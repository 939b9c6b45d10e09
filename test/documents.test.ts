import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { readCmdLine } from "./harness/cmd-exe.ts";
import { imports, root, roomOf, sources } from "./harness/imports.ts";

const documents = globSync("**/*.md", {
  cwd: root,
  exclude: (name) => /^(node_modules|dist|\.git|\.pep.*)$/.test(basename(name)),
});
const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

/** A document without what only looks like a link or a heading. */
const proseOf = (file: string): string => textOf(file).replaceAll(/^ *```[^]*?^ *```/gm, "");

interface Link {
  readonly file: string;
  readonly target: string;
  readonly anchor: string | undefined;
}

const linksOf = (file: string): readonly Link[] =>
  [
    ...proseOf(file)
      .replaceAll(/`[^`\n]*`/g, "")
      .matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g),
  ].map(([, target = "", anchor]) => ({
    file,
    target:
      target === "" ? file : relative(root, resolve(root, dirname(file), target)) + (target.endsWith("/") ? "/" : ""),
    anchor,
  }));

/** As GitHub makes them: lower case, without punctuation, a hyphen for each blank. */
const anchorsOf = (file: string): readonly string[] =>
  [...proseOf(file).matchAll(/^#+ +(.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );

const shown = ({ file, target, anchor }: Link): string =>
  `${file} → ${target}${anchor === undefined ? "" : `#${anchor}`}`;

const links = documents.flatMap(linksOf);

test("a link leads to a file of the repository, and to a heading of it", () => {
  expect(links.length).toBeGreaterThan(100);
  const broken = links.filter(({ target, anchor }) => {
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken.map(shown)).toEqual([]);
});

test("what README and the documents link to comes with the package", () => {
  const { files } = z.object({ files: z.array(z.string()) }).parse(JSON.parse(textOf("package.json")));
  // As npm reads them: a folder stands for all in it, and these come always.
  const shipped = new Set([
    "README.md",
    "LICENSE",
    "package.json",
    ...globSync([...files, ...files.map((pattern) => `${pattern}/**`)], { cwd: root }),
  ]);
  const missing = links
    .filter(({ file }) => /^(README\.md|docs\/.*)$/.test(file))
    .filter(({ target }) => ![target, `${target}README.md`, `${target}/README.md`].some((path) => shipped.has(path)));
  expect(missing.map(shown)).toEqual([]);
});

test("the table of arrows in the architecture document is that of the imports", () => {
  const [, table = ""] = /<!-- generated: arrows -->([^]*?)<!-- end -->/.exec(textOf("docs/architecture.md")) ?? [];
  const drawn = table.split("\n").flatMap((row) => {
    const [room, ...others] = row
      .split("|")
      .slice(1, -1)
      .map((cell) => [...cell.matchAll(/`([^`]+)`/g)]);
    const from = room?.[0]?.[1];
    return from === undefined ? [] : others.flat().map(([, to = ""]) => `${from} → ${to}`);
  });
  const real = [...imports.values()].flat().flatMap(({ from, to }) => {
    const [room, other] = [roomOf(from), roomOf(to)];
    return room === undefined || other === undefined || room === other ? [] : [`${room} → ${other}`];
  });
  expect(drawn.toSorted(), "npm run generate writes it").toEqual([...new Set(real)].toSorted());
});

test("each file that the architecture document names is there", () => {
  const names = new Set(sources.map((file) => basename(file)));
  const named = [...proseOf("docs/architecture.md").matchAll(/`([a-z-]+\.ts)`/g)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !names.has(name))).toEqual([]);
});

/** Sentences of prose; no tables, code, lists of names. */
const sentencesOf = (file: string): readonly string[] =>
  proseOf(file)
    .replaceAll(/<!-- generated[^]*?<!-- end -->/g, "")
    .replace(/<!-- entries below this line may have longer sentences -->[^]*/, "")
    .replaceAll(/^(\||#|<!--).*$/gm, "\n")
    .replaceAll(/`[^`\n]*`/g, "code")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .split(/\n{2,}|\n(?=\s*(?:-|\d+\.) )|[.?!:;]\**\s/)
    .map((sentence) => sentence.replaceAll(/\s+/g, " ").trim());

/** The bench writes its results. */
const written = documents.filter((file) => file !== "test/bench/RESULTS.md");

test("a sentence has twenty words at most", () => {
  expect(written.length).toBeGreaterThan(60);
  const long = written.flatMap((file) =>
    sentencesOf(file)
      .filter((sentence) => sentence.split(" ").length > 20)
      .map((sentence) => `${file}: ${sentence}`),
  );
  expect(long).toEqual([]);
});

const linesToPaste = written.flatMap((file) =>
  [...textOf(file).matchAll(/^ *```sh\n([^]*?)^ *```/gm)].flatMap(([, block = ""]) =>
    block.split("\n").map((line) => ({ file, line: line.trim() })),
  ),
);

test("a line to paste has no comment behind it, and single quotes only inside double quotes", () => {
  expect(linesToPaste.length).toBeGreaterThan(80);
  const wrong = linesToPaste.filter(
    ({ line }) => /\S +#/.test(line.replace(/^#.*/, "")) || line.replaceAll(/^#.*|"[^"]*"/g, "").includes("'"),
  );
  expect(wrong).toEqual([]);
});

/** Administrators type them on machines of their own, whatever shell these have. */
test("a line that logs in means the same in cmd.exe, PowerShell and sh", () => {
  const lines = linesToPaste.filter(({ line }) => line.startsWith("ssh "));
  expect(lines.length).toBeGreaterThan(20);
  const wrong = lines.filter(({ line }) => {
    // PowerShell and sh replace these inside double quotes, too; PowerShell 5.1 has no && and no ||.
    if (/[$`]|&&|\|\|/.test(line)) return true;
    try {
      return readCmdLine(line).words[0] !== "ssh";
    } catch {
      return true;
    }
  });
  expect(wrong).toEqual([]);
});
