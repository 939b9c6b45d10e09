import { spawn } from "node:child_process";
import { globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeDemo, pep, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { startNumberedSite, type StartedSite } from "../site-database/sql-server/start-site.ts";

const password = "Geheim-17!";

/** The built server with the demo's users, on a model site behind the TDS test server. */
const startOnSqlServer = async (keys: number): Promise<{ endpoint: Endpoint; site: StartedSite }> => {
  const site = await startNumberedSite(keys);
  onTestFinished(() => site.dispose());
  const directory = temporaryDirectory();
  const dataDirectory = join(directory, "pep");
  writeFileSync(join(directory, "authority.pem"), site.certificates.authority);
  writeFileSync(join(directory, "password"), `${password}\n`, { mode: 0o600 });
  await makeDemo(dataDirectory, {
    siteDatabase: {
      kind: "sqlServer",
      server: "localhost",
      port: site.server.port,
      database: "CM_PEP",
      ca: join(directory, "authority.pem"),
      authentication: { type: "default", userName: "pep", password: { file: join(directory, "password") } },
    },
  });
  return { endpoint: await startEndpoint({ dataDirectory }), site };
};

test("keys come from SQL Server over the same commands, one by its id through the site's own procedure", async () => {
  const { endpoint, site } = await startOnSqlServer(300);
  const all = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
  expect(all.status, all.stderr).toBe(0);
  const keys: Record<string, string>[] = JSON.parse(all.stdout);
  expect(keys).toHaveLength(300);
  const [, wanted] = keys;
  const procedures = (): number =>
    site.server.requests().filter(({ procedure }) => procedure?.endsWith("GetRecoveryKey")).length;
  expect(procedures()).toBe(0);
  const one = await endpoint.ssh("support", `Get-RecoveryKeys -RecoveryKeyId ${wanted?.["PasswordId"]} -Format ndjson`);
  expect(one.status, one.stderr).toBe(0);
  expect(JSON.parse(one.stdout)).toMatchObject({
    RecoveryKey: wanted?.["RecoveryKey"],
    ComputerName: wanted?.["ComputerName"],
  });
  expect(procedures()).toBe(1);
  expect((await endpoint.ssh("certadmin", "verify-cert -raw")).stdout).toBe("1\n");
  const doctor = await pep(["doctor", "--data-dir", endpoint.dataDirectory]);
  expect(doctor.stdout).toMatch(/ok {4}login: Logged in as/);
});

test("a server that goes away is a plain answer without its address, and one that comes back is used again", async () => {
  const { endpoint, site } = await startOnSqlServer(50_000);
  const child = spawn("ssh", [
    ...endpoint.sshArguments("exporter", ["-o", "LogLevel=ERROR"]),
    "Get-RecoveryKeys -raw -Format json",
  ]);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => {
    if (stdout === "") site.server.setFaults({ at: { accept: "drop" }, query: { does: "reset" } });
    stdout += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  // Cut off in the middle: neither the status nor the text can be taken for a whole answer.
  expect(status).toBe(7);
  expect(() => JSON.parse(stdout)).toThrow(SyntaxError);
  expect(stderr).toContain("ResourceUnavailable");
  expect(stderr).not.toMatch(/localhost|127\.0\.0\.1|ECONN|tedious/);
  site.server.setFaults({});
  await expect
    .poll(async () => (await endpoint.ssh("certadmin", "verify-cert -raw")).stdout, { timeout: 30_000 })
    .toBe("1\n");
});

/** A million takes longer than a normal run should: PEP_TEST_ROWS=1000000. */
const manyRows = Number(process.env["PEP_TEST_ROWS"] ?? 60_000);

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

test.skipIf(process.platform !== "linux")(
  "many rows stream from SQL Server over TLS and through SSH with flat memory, each disclosed on the record",
  { timeout: 600_000 },
  async () => {
    const { endpoint } = await startOnSqlServer(manyRows);
    // Warms the driver up: what it keeps for good is not growth.
    await endpoint.ssh("exporter", "Get-RecoveryKeys -raw -Format ndjson | Select-Object -First 5000");
    const before = residentBytes(endpoint.pid);
    const startedAt = performance.now();
    const child = spawn("ssh", [...endpoint.sshArguments("exporter"), "Get-RecoveryKeys -raw -Format ndjson"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let rows = 0;
    let peak = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      for (const byte of bytes) if (byte === 10) rows += 1;
      peak = Math.max(peak, residentBytes(endpoint.pid));
    });
    const status = await new Promise((resolve) => child.once("close", resolve));
    const seconds = (performance.now() - startedAt) / 1000;
    console.info(
      `SQL Server: ${rows} rows in ${seconds.toFixed(1)} s (${Math.round(rows / seconds)} rows/s), memory grew ${Math.round((peak - before) / 1024)} KiB`,
    );
    expect({ status, rows }).toEqual({ status: 0, rows: manyRows });
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);
    const disclosed = endpoint
      .events()
      .reduce((sum, event) => sum + (event.type === "disclosure" ? event.keys.length : 0), 0);
    expect(disclosed).toBeGreaterThanOrEqual(manyRows);
  },
);

test("the login's password is in no file of the data directory and in no message", async () => {
  const { endpoint, site } = await startOnSqlServer(10);
  await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
  site.server.setFaults({ refuseLogins: { times: 1000, errors: [{ number: 18456, message: "Login failed." }] } });
  await endpoint.ssh("certadmin", "verify-cert");
  const files = globSync("**/*", { cwd: endpoint.dataDirectory }).map((name) => join(endpoint.dataDirectory, name));
  const texts = files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, "latin1"));
  expect(texts.filter((text) => text.includes(password))).toEqual([]);
  expect(endpoint.stderr()).not.toContain(password);
  expect(texts.some((text) => text.includes('"sqlServer"'))).toBe(true);
});

test("pep import says that clients fill SQL Server themselves, and pep renew-cert shows Microsoft's steps and does none", async () => {
  const { endpoint } = await startOnSqlServer(1);
  const refused = await pep(["import", "--data-dir", endpoint.dataDirectory, "any.csv"]);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("clients escrow their keys there themselves");
  const renewal = await pep(["renew-cert", "--data-dir", endpoint.dataDirectory, "--name", "new", "--yes"]);
  expect(renewal).toMatchObject({ status: 2, stderr: expect.stringContaining("renewed by hand") });
  const steps = await pep(["renew-cert", "--data-dir", endpoint.dataDirectory, "--dry-run"]);
  expect(steps, steps.stderr).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("All 1 recovery key can be opened with it."),
  });
  expect(steps.stdout).toContain("Next: step 1.");
});
