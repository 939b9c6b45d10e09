import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const runFile = promisify(execFile);

const inPath = (name: string): string | undefined => {
  try {
    return execFileSync("sh", ["-c", 'PATH="$PATH:/usr/sbin:/sbin" command -v "$0"', name], {
      encoding: "utf8",
    }).trim();
  } catch {
    return undefined;
  }
};

const ofDotnet = join(homedir(), ".dotnet", "tools", "pwsh");

/** PowerShell 7, from the path or as `dotnet tool install --global PowerShell` leaves it; undefined where there is none. */
export const pwsh = inPath("pwsh") ?? (existsSync(ofDotnet) ? ofDotnet : undefined);

/** Every one of these programs, or undefined where one is missing. */
export const findAll = (...names: readonly string[]): readonly string[] | undefined => {
  const found = names.flatMap((name) => inPath(name) ?? []);
  return found.length === names.length ? found : undefined;
};
