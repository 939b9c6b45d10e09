import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, expect, test, type TestContext } from "vitest";
import * as z from "zod";
import { everyStatement, listSql } from "../../../server/site-database/sql-server/list-sql.ts";
import { root } from "../../harness/imports.ts";
import { findAll, runFile } from "../../import/real-tools/tools.ts";

/*
 * Microsoft's own parser (Microsoft.SqlServer.TransactSql.ScriptDom), in SQL Server's grammar of each version that a site has.
 * `dotnet run` builds parse.cs once, and keeps it in the user's cache folder.
 */

const [dotnet] = findAll("dotnet") ?? [];

/** No process of the build's own stays behind. */
const env = { ...process.env, MSBUILDDISABLENODEREUSE: "1", DOTNET_NOLOGO: "1", DOTNET_CLI_TELEMETRY_OPTOUT: "1" };

/** What each version says to each text, a line each; or what is missing here to ask it. */
const parseAll = async (
  texts: Readonly<Record<string, string>>,
): Promise<{ readonly lines: readonly string[]; readonly missing?: string }> => {
  const without = (missing: string) => ({ lines: [], missing });
  if (dotnet === undefined) return without("there is no dotnet");
  // Older ones run no single file.
  if (Number.parseInt((await runFile(dotnet, ["--version"], { env })).stdout, 10) < 10)
    return without("dotnet is before 10");
  const running = runFile(dotnet, ["run", join(import.meta.dirname, "parse.cs")], { env });
  running.child.stdin?.on("error", () => undefined).end(JSON.stringify(texts));
  try {
    return { lines: (await running).stdout.trimEnd().split("\n") };
  } catch (error) {
    const { stdout } = z.object({ stdout: z.string() }).parse(error);
    // NuGet's words for a registry out of reach, and for a package that it has not.
    if (/\bNU1(101|102|301)\b/.test(stdout)) return without("Microsoft's parser can't be fetched here");
    throw error;
  }
};

const versions = ["2016", "2017", "2019", "2022"];
const verdicts = (names: readonly string[], verdict: string, of = versions): readonly string[] =>
  names.flatMap((name) => of.map((version) => `${name}\t${version}\t${verdict}`));

/** The clauses of CREATE and BACKUP CERTIFICATE that Microsoft's pages have and its parser has not, as one that it has. */
const inKnownClauses = (statement: string): string =>
  statement
    .replace(/^(restore|backup)-certificate-(?:from|to)-pfx\t.*/, (text) =>
      text
        .replace("WITH FORMAT = 'PFX', PRIVATE KEY (", "WITH PRIVATE KEY (FILE = N'D:\\key', ")
        .replace(", ALGORITHM = 'AES_256')", ")"),
    )
    .replace(/^restore-certificate-from-bytes\t.*/, (text) =>
      text.replaceAll(/\bBINARY = 0x\w+/g, "FILE = N'D:\\bytes'"),
    );

/** Each statement by its name and place, as one name has several shapes. */
const statements = Object.fromEntries(
  listSql()
    .trimEnd()
    .split("\n")
    .map((line, index) => {
      const [name = "", statement = ""] = inKnownClauses(line).split("\t");
      return [`${name} (${index + 1})`, statement];
    }),
);

/** What people run by hand; lines that begin with a colon are sqlcmd's own. */
const scripts = Object.fromEntries(
  globSync("server/site-database/sql/*.sql", { cwd: root }).map((file) => [
    basename(file),
    readFileSync(join(root, file), "utf8").replaceAll(/^:.*$/gm, ""),
  ]),
);

const whole = { ...statements, ...scripts };

/** Each statement with a parenthesis lost, and what a version has not yet. */
const broken = {
  ...Object.fromEntries(
    Object.entries(statements)
      .filter(([, text]) => text.includes(")"))
      .map(([name, text]) => [
        `${name} broken`,
        text.slice(0, text.lastIndexOf(")")) + text.slice(text.lastIndexOf(")") + 1),
      ]),
  ),
  newer: "SELECT 1 WHERE 1 IS DISTINCT FROM NULL",
};

let said: Awaited<ReturnType<typeof parseAll>>;
// All at once: starting .NET takes most of the time.
beforeAll(async () => {
  said = await parseAll({ ...whole, ...broken });
});

/** What was said to these texts. */
const saidTo = (texts: object, { skip }: TestContext): readonly string[] => {
  if (said.missing !== undefined) return skip(said.missing);
  return said.lines.filter((line) => (line.split("\t")[0] ?? "") in texts);
};

test("Microsoft's parser takes each statement and each script, in each version", (context) => {
  const names = Object.keys(statements).map((name) => name.replace(/ \(\d+\)$/, ""));
  expect(new Set(names)).toEqual(new Set(everyStatement().map(({ name }) => name)));
  expect(names).toContain("search-keys");
  expect(Object.keys(scripts).length).toBeGreaterThan(2);
  expect(saidTo(whole, context)).toEqual(verdicts(Object.keys(whole), "ok"));
});

test("it refuses each of them with a parenthesis lost, and what a version has not yet", (context) => {
  const names = Object.keys(broken);
  expect(names.length).toBeGreaterThan(40);
  const refused = saidTo(broken, context);
  expect(refused.filter((line) => line.endsWith("\tok"))).toEqual(verdicts(["newer"], "ok", ["2022"]));
  expect(refused).toHaveLength(names.length * versions.length);
});
