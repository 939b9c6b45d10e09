import { join } from "node:path";
import { writeFile } from "../recovery-data.ts";
import type { Computer } from "./known-keys.ts";
import { pwsh, runFile } from "./tools.ts";

/** Runs PowerShell without its profile. @returns what it wrote on standard output */
const runPowerShell = async (...parameters: readonly string[]): Promise<string> => {
  const { stdout } = await runFile(pwsh ?? "pwsh", ["-NoProfile", "-NonInteractive", ...parameters], {
    env: { ...process.env, POWERSHELL_TELEMETRY_OPTOUT: "1", POWERSHELL_UPDATECHECK: "Off" },
  });
  return stdout;
};

/** Writes keys in every way that `write-files.ps1` knows. @returns the folder, which has one for each kind of file */
export const writeWithPowerShell = async (computers: readonly Computer[], directory: string): Promise<string> => {
  const keys = writeFile(directory, "keys.json", JSON.stringify(computers));
  const folder = join(directory, "written");
  const script = join(import.meta.dirname, "write-files.ps1");
  await runPowerShell("-File", script, "-Keys", keys, "-Out", folder);
  return folder;
};
