import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import type { TdsServer } from "../harness/tds-server/server.ts";
import { certificatesForFile, startServer, userName, userPassword } from "./client.ts";

/*
 * FreeTDS as an independent second client: it shares no code with tedious, so what both agree on is not one driver's error.
 * It knows no TDS 8.0, so strict stays proven by tedious and node:tls alone.
 */

const tsqlThere = spawnSync("tsql", ["-C"]).error === undefined;
if (!tsqlThere) console.warn("FreeTDS is not there (Debian: freetds-bin): its tests are skipped");

const certificates = certificatesForFile();
const directory = mkdtempSync(join(tmpdir(), "pep-freetds-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface TsqlOptions {
  readonly authorityFile?: string;
  readonly password?: string;
  readonly encryption?: "require" | "off";
}

/** Runs `tsql`, types the batch, gives what it prints. */
const tsql = async (server: TdsServer, batch: string, options: TsqlOptions = {}): Promise<string> => {
  const configuration = join(directory, "freetds.conf");
  writeFileSync(
    configuration,
    [
      "[site]",
      "host = localhost",
      `port = ${server.port}`,
      "tds version = 7.4",
      "client charset = UTF-8",
      `encryption = ${options.encryption ?? "require"}`,
      `ca file = ${options.authorityFile ?? certificates.authorityFile}`,
      "",
    ].join("\n"),
  );
  const child = spawn(
    "tsql",
    ["-S", "site", "-U", userName, "-P", options.password ?? userPassword, "-D", "CM_ABC", "-o", "fq", "-t", "|"],
    { env: { PATH: process.env["PATH"], FREETDS: configuration, FREETDSCONF: configuration, LC_ALL: "C.UTF-8" } },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(`${batch}\nGO\nexit\n`);
  await new Promise<void>((resolve) => child.on("close", () => resolve()));
  return output;
};

const everyType: OnQuery = async (_request, respond) => {
  respond.columns([
    { name: "Name", type: "nvarchar(64)" },
    { name: "Long", type: "nvarchar(max)" },
    { name: "Latin", type: "varchar(20)" },
    { name: "Padded", type: "char(3)" },
    { name: "Id", type: "uniqueidentifier" },
    { name: "Bytes", type: "varbinary(8)" },
    { name: "Blob", type: "varbinary(max)" },
    { name: "Tiny", type: "tinyint" },
    { name: "Small", type: "smallint" },
    { name: "Int", type: "int" },
    { name: "Big", type: "bigint" },
    { name: "Bit", type: "bit" },
  ]);
  const bytes = Buffer.from("00ff10", "hex");
  const guid = "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0";
  await respond.row(["Ä😀", "ß€".repeat(3), "Grüße", "U", guid, bytes, bytes, 255, -300, -70_000, 2n ** 60n, true]);
  await respond.row(Array.from({ length: 12 }, () => null));
};

const fullyRead = ["Ä😀", "ß€ß€ß€", "Grüße", "U  ", "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0"].join("|");

describe.skipIf(!tsqlThere)("tsql over TLS", () => {
  test("every type is read as it was sent, NULLs as well", async () => {
    const server = await startServer({ tls: certificates.server, onQuery: everyType });
    const output = await tsql(server, "SELECT everything");
    expect(output).toContain(`${fullyRead}|00ff10|00ff10|255|-300|-70000|1152921504606846976|1`);
    expect(output).toContain(Array.from({ length: 12 }, () => "NULL").join("|"));
    expect(server.requests().at(-1)).toMatchObject({ kind: "batch", text: "SELECT everything\n", user: userName });
    expect(server.logins()).toMatchObject([{ user: userName, password: userPassword, tls: "TLSv1.2", strict: false }]);
  });

  test("times are read to the minute, which is what tsql prints", async () => {
    const server = await startServer({
      tls: certificates.server,
      onQuery: async (_request, respond) => {
        respond.columns([
          { name: "New", type: "datetime2(7)" },
          { name: "Old", type: "datetime" },
        ]);
        await respond.row(["2026-11-22T12:34:56.7891234", "1999-12-31T23:59:59.997"]);
      },
    });
    const output = await tsql(server, "SELECT times");
    expect(output).toContain("Nov 22 2026 12:34PM|Dec 31 1999 11:59PM");
  });

  test("an error arrives with its number, state and class", async () => {
    const server = await startServer({
      tls: certificates.server,
      onQuery: (_request, respond) => respond.error({ number: 229, class: 14, state: 5, message: "denied to you" }),
    });
    expect(await tsql(server, "x")).toMatch(/Msg 229 \(severity 14, state 5\)[^]*denied to you/);
  });

  test("a wrong password is refused", async () => {
    const server = await startServer({
      tls: certificates.server,
      onQuery: everyType,
      login: ({ password }) =>
        password === userPassword ? undefined : [{ number: 18456, class: 14, message: "Login failed." }],
    });
    expect(await tsql(server, "x", { password: "wrong" })).toMatch(/Msg 18456[^]*Login failed/);
    expect(server.requests()).toEqual([]);
  });

  test("another authority's certificate gets no login", async () => {
    const server = await startServer({ tls: certificates.otherIssuer, onQuery: everyType });
    expect(await tsql(server, "x")).toContain("There was a problem connecting to the server");
    expect(server.accepted()).toBe(1);
    expect(server.logins()).toEqual([]);
  });

  test("a server without TLS gets no login from a client that requires it", async () => {
    const server = await startServer({ tls: certificates.server, onQuery: everyType, faults: { downgrade: true } });
    await tsql(server, "x");
    expect(server.accepted()).toBe(1);
    expect(server.logins()).toEqual([]);
  });

  test("replies in small pieces and 20,000 rows are read whole", async () => {
    const server = await startServer({
      tls: certificates.server,
      onQuery: async (_request, respond) => {
        respond.columns([{ name: "N", type: "int" }]);
        for (let n = 0; n < 20_000; n += 1) await respond.row([n]);
      },
      faults: { bytesPerWrite: 1000 },
    });
    const lines = (await tsql(server, "SELECT rows")).split("\n").filter((line) => /^\d+$/.test(line));
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, n) => String(n)));
  });
});
