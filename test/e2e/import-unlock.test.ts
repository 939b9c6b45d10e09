import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { pep, root, run, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { shareOf } from "../harness/share.ts";

const shared = join(root, "..", "shared");
const samples = join(shared, "data", "manage-bde-samples");
const unlockCheck = join(shared, "tools", "unlock-check");

const unlockable = (): string | undefined => {
  if (!existsSync(unlockCheck) || !existsSync(samples)) return "no ../shared data beside the repository";
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const found = spawnSync("cryptsetup", ["--version"], { env: { ...process.env, PATH: path } });
  return found.status === 0 ? undefined : "cryptsetup is not installed (Debian package cryptsetup-bin)";
};

const missing = unlockable();
if (missing !== undefined) console.warn(`The unlock tests are skipped: ${missing}.`);

const exportCsv = async (endpoint: Endpoint): Promise<Record<string, string>[]> => {
  const { status, stdout, stderr } = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw -Format csv");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return parse<Record<string, string>>(stdout, { columns: true });
};

const unlock = async (rows: readonly Record<string, string>[]): Promise<string> => {
  const input = rows.map((row) => `${row["PasswordId"]},${row["RecoveryKey"]}\n`).join("");
  const { stdout } = await run(unlockCheck, [], { input });
  return stdout.trimEnd().split("\n").at(-1) ?? "";
};

const importing = (endpoint: Endpoint, files: readonly string[], ...options: string[]) =>
  pep(["import", "--data-dir", endpoint.dataDirectory, ...options, ...files.map((file) => join(samples, file))]);

/** The samples that carry all ten keys, and those with keys of one computer. */
const whole = ["msFVE-RecoveryInformation.ldf", "graph-recoveryKeys-with-key.json", "BitLockerInfo.csv"];
const ofOneComputer = ["manage-bde-protectors-get-C.txt", "Get-BitLockerVolume-KeyProtector.json"];

test.skipIf(missing !== undefined).each(shareOf(whole, 3))(
  "keys imported from %s unlock the real volumes, 9 of 9",
  async (file) => {
    const endpoint = await startEndpoint();
    const before = (await exportCsv(endpoint)).map((row) => row["PasswordId"]);
    const imported = await importing(endpoint, [file]);
    expect(imported.status, imported.stderr).toBe(0);
    const rows = await exportCsv(endpoint);
    expect(rows.filter((row) => !before.includes(row["PasswordId"]))).toHaveLength(10);
    expect(await unlock(rows)).toBe("9 of 9 volumes unlocked");
  },
);

test.skipIf(missing !== undefined)(
  "all samples together, imported twice while the server runs, double nothing",
  async () => {
    const endpoint = await startEndpoint();
    const before = (await exportCsv(endpoint)).length;
    for (let round = 0; round < 2; round += 1) {
      const first = await importing(endpoint, whole);
      expect(first.status, first.stderr).toBe(0);
      const second = await importing(endpoint, ofOneComputer, "--computer-name", "PC-0001");
      expect(second.status, second.stderr).toBe(0);
    }
    const rows = await exportCsv(endpoint);
    expect(rows.length - before).toBe(10);
    expect(new Set(rows.map((row) => row["PasswordId"])).size).toBe(rows.length);
    expect(await unlock(rows)).toBe("9 of 9 volumes unlocked");
    const recorded = endpoint.events().filter(({ type }) => type === "import-started" || type === "import-finished");
    expect(recorded.length).toBe(10); // the demo's own, and four of ours
  },
);
