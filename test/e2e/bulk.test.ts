import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pep, startEndpoint } from "../harness/endpoint.ts";
import { rounds } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const keyCount = rounds(20_000, 100_000);

/** Well-formed, different, and the same in every run. */
const recoveryPassword = (number: number): string => {
  const digest = createHash("sha256").update(String(number)).digest();
  return Array.from({ length: 8 }, (_, group) => String(digest.readUInt16BE(group * 2) * 11).padStart(6, "0")).join(
    "-",
  );
};

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

const processorTicks = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

test.skipIf(process.platform !== "linux")(
  `${keyCount} keys stream with flat memory, and a killed client stops the cursor`,
  { timeout: 240_000 },
  async () => {
    const endpoint = await startEndpoint();
    const file = join(temporaryDirectory(), "keys.csv");
    const lines = Array.from(
      { length: keyCount },
      (_, number) => `PC-${String(number).padStart(6, "0")},${randomUUID().toUpperCase()},${recoveryPassword(number)}`,
    );
    writeFileSync(file, `ComputerName,RecoveryKeyId,RecoveryPassword\n${lines.join("\n")}\n`);
    const imported = await pep(["import", "--data-dir", endpoint.dataDirectory, file]);
    expect(imported.status, imported.stderr).toBe(0);

    const exportAll = (kill: boolean) => {
      const child = spawn("ssh", [...endpoint.sshArguments("exporter"), "Get-RecoveryKeys -raw -Format ndjson"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const startedAt = performance.now();
      let firstByteMs = 0;
      let newlines = 0;
      let peak = 0;
      child.stdout.on("data", (bytes: Buffer) => {
        firstByteMs ||= performance.now() - startedAt;
        for (const byte of bytes) if (byte === 10) newlines += 1;
        peak = Math.max(peak, residentBytes(endpoint.pid));
        if (kill && newlines > 1000) child.kill("SIGKILL");
      });
      return new Promise<{ newlines: number; peak: number; firstByteMs: number; allMs: number }>((resolve) => {
        child.once("close", () => resolve({ newlines, peak, firstByteMs, allMs: performance.now() - startedAt }));
      });
    };

    const warm = await exportAll(false);
    expect(warm.newlines).toBeGreaterThan(keyCount);
    const before = residentBytes(endpoint.pid);
    const { newlines, peak, firstByteMs, allMs } = await exportAll(false);
    console.info(
      `bulk: ${newlines} rows in ${Math.round(allMs)} ms, first byte after ${Math.round(firstByteMs)} ms with ssh's start, memory grew ${Math.round((peak - before) / 1024)} KiB (first run: ${Math.round((warm.peak - before) / 1024)} KiB over it)`,
    );
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);

    await exportAll(true);
    await expect
      .poll(() =>
        endpoint
          .events()
          .filter((event) => event.type === "command-finished")
          .at(-1),
      )
      .toMatchObject({ command: "Get-RecoveryKeys", outcome: "stopped" });
    const stopped = endpoint
      .events()
      .filter((event) => event.type === "command-finished")
      .at(-1);
    expect(stopped?.rows).toBeLessThan(keyCount);
    // The cursor is gone when the server does no more work for it.
    await expect
      .poll(async () => {
        const ticks = processorTicks(endpoint.pid);
        await new Promise((resolve) => setTimeout(resolve, 300));
        return processorTicks(endpoint.pid) - ticks;
      })
      .toBeLessThan(10);
  },
);
