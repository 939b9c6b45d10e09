/**
 * `node test/bench/import-rows.ts [--rows N] [--rounds N] CHECKOUT...`: imports of CSV and LDIF into an embedded database, by the builds of
 * several checkouts of this repository, in turns of one run. Prints rows a second, rows a second of processor time, and the largest resident
 * memory of each import.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { guidBase64 } from "../import/recovery-data.ts";
import { median, spread } from "./compare.ts";
import { makeKeys, writeCsv, type BenchKey } from "./keys.ts";

/** As ldifde writes recovery objects of Active Directory, but for attributes that no import looks at. */
const writeLdif = (keys: readonly BenchKey[], file: string): void => {
  const descriptor = openSync(file, "wx");
  const atATime = 10_000;
  for (let at = 0; at < keys.length; at += atATime) {
    const entries = keys
      .slice(at, at + atATime)
      .map(({ computerName, keyId, recoveryPassword }) =>
        [
          `dn: CN=2026-11-01T10:00:00-00:00{${keyId}},CN=${computerName},OU=Clients,DC=corp,DC=example`,
          "changetype: add",
          "objectClass: top",
          "objectClass: msFVE-RecoveryInformation",
          "whenCreated: 20261101100000.0Z",
          `msFVE-RecoveryPassword: ${recoveryPassword}`,
          `msFVE-RecoveryGuid:: ${guidBase64(keyId)}`,
          "",
          "",
        ].join("\n"),
      );
    writeSync(descriptor, entries.join(""));
  }
  closeSync(descriptor);
};

interface Imported {
  readonly rowsASecond: number;
  /** Other work on the machine changes this less. */
  readonly rowsAProcessorSecond: number;
  readonly peakMiB: number;
}

interface Used {
  readonly peakMiB: number;
  readonly processorSeconds: number;
}

/** Of Linux on every processor that Node runs on. */
const ticksASecond = 100;

/** What the kernel has counted of a process so far. @returns undefined when it has ended */
const usedBy = (pid: number): Used | undefined => {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    // Behind the name, which may hold blanks; utime and stime are the fields 14 and 15 of all.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    if (peak === undefined) return undefined;
    return { peakMiB: Number(peak) / 1024, processorSeconds: (Number(stat[11]) + Number(stat[12])) / ticksASecond };
  } catch {
    return undefined;
  }
};

/** One import into a new database. The kernel keeps the peak, so asking often only sees the last of it. */
const importInto = async (checkout: string, file: string, rows: number): Promise<Imported> => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "pep-import-"));
  const main = join(checkout, "dist", "server", "main.js");
  try {
    execFileSync(process.execPath, [main, "init", "--data-dir", join(dataDirectory, "pep")], { stdio: "ignore" });
    const startedAt = performance.now();
    const child = spawn(process.execPath, [main, "import", "--data-dir", join(dataDirectory, "pep"), file], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    let used: Used = { peakMiB: 0, processorSeconds: 0 };
    const look = setInterval(() => {
      used = usedBy(child.pid ?? 0) ?? used;
    }, 100);
    const status = await new Promise<number | null>((done) => child.on("close", done));
    const seconds = (performance.now() - startedAt) / 1000;
    clearInterval(look);
    if (status !== 0 || !said.includes(`${rows.toLocaleString("en-US")} key`))
      throw new Error(`${checkout}: status ${status}: ${said}`);
    const { peakMiB, processorSeconds } = used;
    return { rowsASecond: rows / seconds, rowsAProcessorSecond: rows / processorSeconds, peakMiB };
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "1000000" }, rounds: { type: "string", default: "2" } },
});
const rows = Number(values.rows);
const checkouts = positionals.map((path) => resolve(path));
const directory = mkdtempSync(join(tmpdir(), "pep-import-files-"));
try {
  const keys = makeKeys(rows);
  const files = { CSV: join(directory, "keys.csv"), LDIF: join(directory, "keys.ldf") };
  writeCsv(keys, files.CSV);
  writeLdif(keys, files.LDIF);
  const measured = new Map<string, Imported[]>();
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [form, file] of Object.entries(files)) {
      // Whoever goes second does not always find the caches warm.
      for (const checkout of round % 2 === 0 ? checkouts : checkouts.toReversed()) {
        const name = `${form}, ${basename(checkout)}`;
        const one = await importInto(checkout, file, rows);
        const { rowsASecond, rowsAProcessorSecond, peakMiB } = one;
        const figures = [rowsASecond, rowsAProcessorSecond, peakMiB].map(Math.round);
        console.error(`${name}: ${figures[0]} rows/s, ${figures[1]} rows a processor second, ${figures[2]} MiB`);
        measured.set(name, [...(measured.get(name) ?? []), one]);
      }
    }
  }
  console.log("| import | rows/s | rows a processor second | peak memory |\n| --- | --- | --- | --- |");
  for (const [name, all] of measured) {
    const rate = (of: (one: Imported) => number): string => {
      const rates = all.map(of);
      return `${Math.round(median(rates)).toLocaleString("en-US")} ± ${Math.round(spread(rates) * 100)} %`;
    };
    const peak = Math.round(Math.max(...all.map(({ peakMiB }) => peakMiB)));
    console.log(
      `| ${name} | ${rate((one) => one.rowsASecond)} | ${rate((one) => one.rowsAProcessorSecond)} | ${peak} MiB |`,
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
