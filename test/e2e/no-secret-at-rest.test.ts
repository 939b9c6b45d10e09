import { globSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { findWindows, forEachMemoryPiece, windowsOf } from "../harness/key-search.ts";

const filesBelow = (directory: string): string[] =>
  globSync("**/*", { cwd: directory })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());

const uiProcesses = (serverPid: number): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
        return Number(parent) === serverPid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--permission");
      } catch {
        return false; // ended meanwhile
      }
    });

const keysOf = async (endpoint: Endpoint): Promise<{ RecoveryKey: string; ComputerName: string }[]> =>
  JSON.parse((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).stdout);

const password = "Correct-Horse-77-Battery";
const planted = "Planted-Passphrase-42";

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "after every key was shown at every width, no key and no password is in a file, in stderr or in a UI process (root: reads /proc/PID/mem)",
  { timeout: 180_000 },
  async () => {
    const endpoint = await startEndpoint();
    const keys = await keysOf(endpoint);
    const windows = windowsOf(keys.map(({ RecoveryKey }) => RecoveryKey));
    expect(windows.size).toBeGreaterThan(1000);

    // Resized afterwards as well: repaints at another width are where a mask would slip.
    const seen = new Set<string>();
    for (const columns of [200, 132, 100, 80, 72, 60, 50, 40, 30]) {
      const terminal = endpoint.terminal("exporter", { columns, rows: 50 });
      await terminal.waitFor(/^PS.*>/m);
      terminal.type("Get-RecoveryKeys -raw -Format table\r");
      await terminal.waitFor("[y/N]");
      terminal.type("y\r");
      const atRest = /(?:-- more --.*|\d+ rows)\s*(?:PS.*>)?$/;
      for (;;) {
        const shown = await terminal.waitFor(atRest);
        const text = shown.replace(/\s/g, "");
        for (const { RecoveryKey } of keys) if (text.includes(RecoveryKey)) seen.add(RecoveryKey);
        if (!/-- more --.*$/.test(shown)) break;
        terminal.type(" ");
        await terminal.waitFor((now) => now !== shown);
      }
      terminal.resize(columns + 7, 30);
      terminal.resize(Math.max(20, columns - 13), 12);
      terminal.type("Get-Help exit\r");
      await terminal.waitFor(/SYNTAX/);
    }
    expect(seen.size).toBe(keys.length);

    const admin = endpoint.terminal("certadmin", { columns: 100, rows: 30 });
    await admin.waitFor("certadmin@pep");
    admin.type("backup-cert -Name everywhere\r");
    await admin.waitFor(/[Pp]assword.*:/);
    admin.type(`${password}\r`);
    await admin.waitFor(/again/i);
    admin.type(`${password}\r`);
    await admin.waitFor("everywhere.cer");
    // The planted strings: typed at the prompt, so they are in the UI process, as a secret would be if it ever got there.
    const plantedDigits = "918273645546";
    admin.type(`Get-Help ${planted} 9182736455`);
    admin.type("46");
    await admin.waitFor(planted.slice(0, 8));

    const processes = uiProcesses(endpoint.pid);
    expect(processes.length).toBeGreaterThan(1);
    const inMemory: (string | number)[] = [];
    let plantedFound = false;
    let plantedDigitsFound = false;
    for (const pid of processes) {
      forEachMemoryPiece(pid, (bytes) => {
        inMemory.push(...findWindows(bytes, windows));
        if (bytes.includes(planted)) plantedFound = true;
        if (findWindows(bytes, new Set([Number(plantedDigits)])).length > 0) plantedDigitsFound = true;
        if (bytes.includes(password) || bytes.includes(Buffer.from(password, "utf16le"))) inMemory.push("the password");
      });
    }
    expect({ plantedFound, plantedDigitsFound }).toEqual({ plantedFound: true, plantedDigitsFound: true });
    expect(inMemory).toEqual([]);

    const files = filesBelow(endpoint.dataDirectory);
    expect(files.some((path) => path.endsWith(".cast"))).toBe(true);
    const inFiles = files.filter((path) => {
      const bytes = readFileSync(path);
      return findWindows(bytes, windows).length > 0 || bytes.includes(password);
    });
    expect(inFiles).toEqual([]);
    expect(findWindows(Buffer.from(endpoint.stderr()), windows)).toEqual([]);
    expect(endpoint.stderr()).not.toContain(password);
  },
);

test("the search finds a key in a file, whatever separates its digits", () => {
  const windows = windowsOf(["235818-357951-253979-013365-241120-245575-342914-591910"]);
  for (const text of ["x357951-253979y", "357951253979", "357951 253979", "8-357951-25397"]) {
    expect(findWindows(Buffer.from(text), windows), text).not.toEqual([]);
    expect(findWindows(Buffer.from(text, "utf16le"), windows), text).not.toEqual([]);
  }
  expect(findWindows(Buffer.from("357951-25397"), windows)).toEqual([]);
});
