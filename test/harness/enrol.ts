import { spawn, spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { root } from "./endpoint.ts";
import { hotp } from "./second-factor-stage.ts";

/** Debian's generator, where it is installed: another program than the server's library. */
const byOathtool = (base32: string, step: number): string | undefined => {
  const now = new Date(step * 30_000)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z/, " UTC");
  const { status, stdout } = spawnSync("oathtool", ["--totp", "-b", base32, "--now", now], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
};

const bytesOf = (base32: string): Buffer => {
  const bits = base32
    .split("")
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"));
  return Buffer.from((bits.join("").match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
};

/** A telephone: makes codes, each of a step that it made none of before. */
interface Telephone {
  readonly base32: string;
  readonly secret: Buffer;
  /** A code that is good now and was not given before; waits where the half minute has none left. */
  code(): Promise<string>;
}

const createTelephone = (base32: string): Telephone => {
  const secret = bytesOf(base32);
  let last = 0;
  return {
    base32,
    secret,
    async code() {
      const current = (): number => Math.floor(Date.now() / 30_000);
      await expect.poll(() => current() + 1, { timeout: 60_000 }).toBeGreaterThan(last);
      last = Math.max(last + 1, current());
      return byOathtool(base32, last) ?? hotp(secret, last);
    },
  };
};

export interface Enrolment {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly telephone: Telephone;
  readonly recoveryCodes: readonly string[];
}

/**
 * Runs `pep users enrol` as an administrator would, with a telephone that reads what is shown.
 * @param answers what is typed; the telephone's code when left out
 */
export const enrol = async (
  dataDirectory: string,
  user: string,
  options: { readonly arguments?: readonly string[]; readonly answers?: readonly string[] } = {},
): Promise<Enrolment> => {
  const main = join(root, "dist", "server", "main.js");
  const child = spawn(
    process.execPath,
    [main, "users", "enrol", user, "--data-dir", dataDirectory, ...(options.arguments ?? [])],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  let [stdout, stderr] = ["", ""];
  let telephone = createTelephone("");
  child.stdin.on("error", () => undefined); // it may end before it was asked
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
    const base32 = /secret=([A-Z2-7]{32})&/.exec(stderr)?.[1];
    if (base32 === undefined || telephone.base32 !== "" || !stderr.includes("Code that it shows now")) return;
    telephone = createTelephone(base32);
    if (options.answers !== undefined) child.stdin.end(options.answers.map((answer) => `${answer}\n`).join(""));
    else void telephone.code().then((code) => child.stdin.end(`${code}\n`));
  });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { status, stdout, stderr, telephone, recoveryCodes: stdout.split("\n").filter((line) => line !== "") };
};

/** Has `ssh` answered by a program, as it does where there is no terminal; `answers` are given one after the other. */
export const askpass = (folder: string, answers: readonly string[]): string[] => {
  const program = join(folder, "askpass");
  const file = join(folder, "answers");
  writeFileSync(file, `${answers.join("\n")}\n`);
  writeFileSync(program, `#!/bin/sh\nhead -n 1 '${file}'\nsed -i 1d '${file}'\n`);
  chmodSync(program, 0o700);
  return [`SSH_ASKPASS=${program}`, "SSH_ASKPASS_REQUIRE=force"];
};

/** Changes a data directory's roles as an editor would. */
export const editRoles = (dataDirectory: string, change: (roles: RolesText) => void): void => {
  const path = join(dataDirectory, "jea-roles.json");
  const roles = JSON.parse(readFileSync(path, "utf8")) as RolesText; // the shipped file, of known shape
  change(roles);
  writeFileSync(path, JSON.stringify(roles, null, 2));
};

interface RolesText {
  readonly roleDefinitions: Record<string, { requireSecondFactor?: boolean }>;
  readonly roleCapabilities: Record<string, { requireSecondFactor?: boolean }>;
}
