import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { guidBase64, writeFile } from "../recovery-data.ts";
import type { Computer } from "./known-keys.ts";
import { findAll, runFile } from "./tools.ts";

const programs = [
  "samba",
  "samba-tool",
  "ldapsearch",
  "ldapmodify",
  "ldapdelete",
  "ldbsearch",
  "ldbadd",
  "unshare",
  "ip",
];

/** A domain controller needs ports of its own, so a network of its own, which only root may make, and not in every container. */
export const mayRunDomain =
  process.getuid?.() === 0 && findAll(...programs) !== undefined && spawnSync("unshare", ["-n", "true"]).status === 0;

const base = "DC=corp,DC=example,DC=com";
export const computersUnit = `OU=PCs,${base}`;
const password = "Secret-Pass-1";

/** Output of these commands is longer than Node takes by itself. */
const maxBuffer = 64 * 1024 * 1024;

export interface Domain {
  /** Runs an LDAP program as the administrator, or as an account with the same password. @returns its output */
  readonly ldap: (program: string, parameters: readonly string[], user?: string) => Promise<string>;
  /** Runs a program on the database itself. */
  readonly ldb: (program: string, ...parameters: readonly string[]) => Promise<string>;
  readonly tool: (...parameters: readonly string[]) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const configuration = (directory: string): string =>
  [
    "[global]",
    "netbios name = DC1",
    "realm = CORP.EXAMPLE.COM",
    "workgroup = CORP",
    "server role = active directory domain controller",
    "server services = ldap",
    `private dir = ${directory}/private`,
    `state directory = ${directory}/state`,
    `cache directory = ${directory}/cache`,
    `lock directory = ${directory}`,
    `pid directory = ${directory}`,
    `ncalrpc dir = ${directory}/ncalrpc`,
    `log file = ${directory}/log`,
    "ldap server require strong auth = no",
    "tls enabled = no",
    "interfaces = lo",
    "bind interfaces only = yes",
    "",
  ].join("\n");

const provision = [
  "domain",
  "provision",
  "--realm=CORP.EXAMPLE.COM",
  "--domain=CORP",
  "--server-role=dc",
  "--dns-backend=NONE",
];

/** Makes and starts a Samba domain controller in a network of its own; its LDAP is a socket in the directory. */
export const startDomain = async (directory: string): Promise<Domain> => {
  const folder = join(directory, "dc");
  const named = ["--host-name=dc1", "--host-ip=127.0.0.1", `--adminpass=${password}`, `--targetdir=${folder}`];
  await runFile("samba-tool", [...provision, ...named], { maxBuffer });
  mkdirSync(join(folder, "cache"), { recursive: true });
  const file = writeFile(folder, "etc/test.conf", configuration(folder));
  const command = 'ip link set lo up; exec samba -F --no-process-group -M single -s "$0"';
  const server: ChildProcess = spawn("unshare", ["-n", "sh", "-c", command, file], { stdio: "ignore" });
  const socket = join(folder, "private", "ldapi");
  const database = join(folder, "private", "sam.ldb");
  const url = `ldapi://${encodeURIComponent(socket)}`;
  const ldap: Domain["ldap"] = async (program, parameters, user = "administrator") => {
    const account = ["-x", "-H", url, "-D", `${user}@corp.example.com`, "-w", password];
    return (await runFile(program, [...account, ...parameters], { maxBuffer })).stdout;
  };
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  };
  const isReady = async (): Promise<void> => {
    if (server.exitCode !== null) throw new Error(`samba ended; see ${folder}/log`);
    await ldap("ldapsearch", ["-s", "base", "-b", base, "dn"]);
  };
  try {
    await vi.waitFor(isReady, { timeout: 90_000, interval: 200 });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ldap,
    ldb: async (program, ...parameters) =>
      (await runFile(program, ["-H", database, ...parameters], { maxBuffer })).stdout,
    tool: async (...parameters) =>
      (await runFile("samba-tool", [...parameters, "-H", database, "-s", file], { maxBuffer })).stdout,
    stop,
  };
};

const time = "2024-05-06T09:10:11\\+02:00";

/** Lines of LDIF as RFC 2849 has them: a name that is not ASCII is base64. */
const nameLine = (name: string): string =>
  /^[ -~]*$/.test(name) ? `dn: ${name}` : `dn:: ${Buffer.from(name).toString("base64")}`;

export const computerName = (computer: string): string => `CN=${computer},${computersUnit}`;
export const recoveryName = (id: string, parent: string): string => `CN=${time}{${id}},${parent}`;

export const recoveryEntry = (id: string, recoveryPassword: string, name: string): string =>
  [
    nameLine(name),
    "changetype: add",
    "objectClass: msFVE-RecoveryInformation",
    `msFVE-RecoveryPassword: ${recoveryPassword}`,
    `msFVE-RecoveryGuid:: ${guidBase64(id)}`,
    "",
    "",
  ].join("\n");

const computerEntry = (computer: string, index: number): string =>
  [
    nameLine(computerName(computer)),
    "changetype: add",
    "objectClass: computer",
    `sAMAccountName: C${index}$`,
    "",
    "",
  ].join("\n");

/** What puts computers and their keys into a directory. */
export const directoryEntries = (computers: readonly Computer[]): string =>
  `dn: ${computersUnit}\nchangetype: add\nobjectClass: organizationalUnit\n\n` +
  computers
    .flatMap(({ computer, volumes }, index) => [
      computerEntry(computer, index),
      ...volumes.flatMap(({ protectors }) =>
        protectors
          .filter((protector) => protector.password !== "")
          .map((protector) =>
            recoveryEntry(protector.id, protector.password, recoveryName(protector.id, computerName(computer))),
          ),
      ),
    ])
    .join("");

const withDeleted = ["-E", "!1.2.840.113556.1.4.417"];
const filter = "(objectClass=msFVE-RecoveryInformation)";

/** The ways to export recovery objects, deleted ones too, each with a name and what it wrote. */
export const exportsOf = async (domain: Domain, directory: string): Promise<readonly (readonly [string, string])[]> => {
  const search = (...parameters: readonly string[]): Promise<string> =>
    domain.ldap("ldapsearch", ["-b", base, ...withDeleted, ...parameters]);
  const few = [filter, "msFVE-RecoveryPassword", "lastKnownParent"];
  const files = join(directory, "files");
  mkdirSync(files, { recursive: true });
  return [
    ["ldapsearch", await search(filter)],
    ["ldapsearch -L", await search("-L", filter)],
    ["ldapsearch -LLL", await search("-LLL", filter)],
    ["ldapsearch of few attributes", await search(...few)],
    ["ldapsearch in lines of 40", await search("-LLL", "-o", "ldif-wrap=40", filter)],
    ["ldapsearch in long lines", await search("-LLL", "-o", "ldif-wrap=no", filter)],
    ["ldapsearch in pages", await search("-E", "pr=2/noprompt", filter)],
    ["ldapsearch with values in files", await search("-LLL", "-t", "-T", files, filter)],
    ["ldapsearch of all objects", await search("-LLL")],
    ["ldbsearch", await domain.ldb("ldbsearch", "--show-deleted", filter)],
    ["ldbsearch of few attributes", await domain.ldb("ldbsearch", "--show-deleted", ...few)],
  ];
};
