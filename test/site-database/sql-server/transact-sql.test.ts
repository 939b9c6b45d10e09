import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test, type TestContext } from "vitest";
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

/** What each version says to each text; skips where there is no .NET, or no way to the parser. */
const parseAll = async (texts: Readonly<Record<string, string>>, { skip }: TestContext): Promise<readonly string[]> => {
  if (dotnet === undefined) return skip("there is no dotnet");
  // Older ones run no single file.
  if (Number.parseInt((await runFile(dotnet, ["--version"], { env })).stdout, 10) < 10)
    return skip("dotnet is before 10");
  const running = runFile(dotnet, ["run", join(import.meta.dirname, "parse.cs")], { env });
  running.child.stdin?.on("error", () => undefined).end(JSON.stringify(texts));
  try {
    return (await running).stdout.trimEnd().split("\n");
  } catch (error) {
    const { stdout } = z.object({ stdout: z.string() }).parse(error);
    // NuGet's words for a registry out of reach, and for a package that it has not.
    if (/\bNU1(101|102|301)\b/.test(stdout)) return skip("Microsoft's parser can't be fetched here");
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

test("Microsoft's parser takes each statement and each script, in each version", async (context) => {
  const names = Object.keys(statements).map((name) => name.replace(/ \(\d+\)$/, ""));
  expect(new Set(names)).toEqual(new Set(everyStatement().map(({ name }) => name)));
  expect(names).toContain("search-keys");
  expect(Object.keys(scripts).length).toBeGreaterThan(2);
  const texts = { ...statements, ...scripts };
  expect(await parseAll(texts, context)).toEqual(verdicts(Object.keys(texts), "ok"));
});

test("it refuses each of them with a parenthesis lost, and what a version has not yet", async (context) => {
  const broken = Object.fromEntries(
    Object.entries(statements)
      .filter(([, text]) => text.includes(")"))
      .map(([name, text]) => [name, text.slice(0, text.lastIndexOf(")")) + text.slice(text.lastIndexOf(")") + 1)]),
  );
  expect(Object.keys(broken).length).toBeGreaterThan(40);
  const refused = await parseAll({ ...broken, newer: "SELECT 1 WHERE 1 IS DISTINCT FROM NULL" }, context);
  expect(refused.filter((line) => line.endsWith("\tok"))).toEqual(verdicts(["newer"], "ok", ["2022"]));
  expect(refused).toHaveLength((Object.keys(broken).length + 1) * versions.length);
});
