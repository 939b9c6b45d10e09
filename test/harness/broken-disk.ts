import { spawn, spawnSync } from "node:child_process";
import { onTestFinished } from "vitest";

/** Why a running server's disk can't be broken here, or undefined. */
export const whyNoBrokenDisk = (): string | undefined => {
  if (spawnSync("strace", ["-V"]).status !== 0) return "strace is not installed";
  return process.getuid?.() === 0 ? undefined : "attaching strace needs root";
};

/**
 * From when it resolves, these system calls of the process fail, with EIO as a dying disk makes them.
 *
 * @param calls of strace(1)'s names, with commas
 * @param when strace's choice among them, as `2+2` for every other one
 * @returns mends the disk
 */
export const breakDisk = async (
  pid: number,
  calls = "fdatasync,fsync",
  when?: string,
  error: "EIO" | "EROFS" = "EIO",
): Promise<() => Promise<void>> => {
  const inject = `inject=${calls}:error=${error}${when === undefined ? "" : `:when=${when}`}`;
  const strace = spawn("strace", ["-f", "-p", String(pid), "-e", `trace=${calls}`, "-e", inject], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const gone = new Promise((resolve) => strace.once("exit", resolve));
  const mend = async (): Promise<void> => {
    strace.kill("SIGINT");
    await gone;
  };
  onTestFinished(mend);
  let said = "";
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on("data", (bytes: Buffer) => {
      if (said.length < 4096) said += bytes.toString();
      // strace names each thread it attached to; the last words come once all of them are held.
      if (/attached( with \d+ threads)?/.test(said)) resolve();
    });
    strace.once("exit", () => reject(new Error(`strace ended: ${said}`)));
  });
  return mend;
};
