import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { makeKeys, writeCsv } from "../bench/keys.ts";
import { type Endpoint, makeDemo, pep } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** One client of a load. Its reason is a mark of its own: the record's disclosures to it can be told from all others. */
export interface Client {
  readonly reason: string;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

export interface Accounts {
  readonly clients: number;
  /** Characters of keys that clients received, whole keys and pieces. */
  readonly shownBytes: number;
  /** Pieces of keys that no durable disclosure to that client covers. */
  readonly unaccounted: readonly string[];
}

/** Imports keys into a demo's data directory, so that an export takes a while. */
export const importKeys = async (dataDirectory: string, count: number): Promise<void> => {
  const file = join(temporaryDirectory(), "keys.csv");
  writeCsv(makeKeys(count), file);
  const imported = await pep(["import", "--data-dir", dataDirectory, file]);
  if (imported.status !== 0) throw new Error(imported.stderr);
};

/** A demo's data directory with so many keys. */
export const prepare = async (dataDirectory: string, keys: number): Promise<void> => {
  await makeDemo(dataDirectory);
  await importKeys(dataDirectory, keys);
};

/** Every key there is, by its id, asked while all is well. */
export const findKeys = async (endpoint: Endpoint): Promise<ReadonlyMap<string, string>> => {
  const { status, stdout, stderr } = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw -Format ndjson");
  if (status !== 0) throw new Error(stderr);
  const rows: { readonly PasswordId: string; readonly RecoveryKey: string }[] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return new Map(rows.map(({ PasswordId, RecoveryKey }) => [PasswordId, RecoveryKey]));
};

/** An export of every key, by the real ssh. */
export const startExport = (endpoint: Endpoint, reason: string, onBytes: (count: number) => void = () => undefined) => {
  const options = ["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"];
  const line = `Get-RecoveryKeys -raw -Format ndjson -Reason ${reason}`;
  const child = spawn("ssh", [...endpoint.sshArguments("exporter", options), line], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: Buffer[] = [];
  let errors = "";
  child.stdout.on("data", (bytes: Buffer) => {
    pieces.push(bytes);
    onBytes(bytes.length);
  });
  child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { reason, output: () => Buffer.concat(pieces).toString("latin1"), errors: () => errors, ended };
};

/** A person at a screen who asks for one key after the other. */
export const startScreen = (endpoint: Endpoint, reason: string) => {
  const terminal = endpoint.terminal("support", { columns: 120, rows: 40 });
  let asked = 0;
  const ask = async (): Promise<void> => {
    await terminal.waitFor(/support@pep> *$/, 20_000);
    for (;;) {
      asked += 1;
      const computer = `PC-${String(asked).padStart(7, "0")}`;
      terminal.type(`Get-RecoveryKeys -ComputerName ${computer} -Format list -Reason ${reason}\r`);
      const answers = asked;
      await terminal.waitFor((screen) => screen.split(/1 row\b|Unavailable/).length > answers, 20_000);
    }
  };
  // A screen that went away in the middle is what the faults are for.
  ask().catch(() => undefined);
  // oxlint-disable-next-line no-control-regex
  return { reason, output: () => terminal.raw().replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ""), ended: terminal.exited };
};

const exported = /"RecoveryKey":"([\d-]+)/g;
/** Not a piece of a key's id, which may have digits and a hyphen in a row too. */
const painted = /(?<![0-9A-F-])\d{6}(?:-\d{1,6})+(?![0-9A-F])/g;

/** Holds every piece of a key that a client received against what the record says was disclosed to it. */
export const account = (
  keys: ReadonlyMap<string, string>,
  clients: readonly Client[],
  events: readonly AuditEvent[],
): Accounts => {
  const disclosed = new Map<string, Set<string>>();
  for (const event of events) {
    if (event.type !== "disclosure" || event.reason === undefined) continue;
    const toClient = disclosed.get(event.reason) ?? new Set();
    for (const { keyId } of event.keys) toClient.add(keys.get(keyId) ?? keyId);
    disclosed.set(event.reason, toClient);
  }
  let shownBytes = 0;
  const unaccounted: string[] = [];
  for (const { reason, output } of clients) {
    const toClient = disclosed.get(reason) ?? new Set<string>();
    const text = output();
    const pieces = text.includes('"RecoveryKey"')
      ? [...text.matchAll(exported)].map(([, piece = ""]) => piece)
      : (text.match(painted) ?? []);
    for (const piece of pieces) {
      shownBytes += piece.length;
      if (toClient.has(piece)) continue;
      if (![...toClient].some((key) => key.startsWith(piece))) unaccounted.push(`${reason}: ${piece}`);
    }
  }
  return { clients: clients.length, shownBytes, unaccounted };
};

/** The line that a run leaves behind, for whoever reads the log of CI. */
export const printAccounts = (fault: string, { clients, shownBytes, unaccounted }: Accounts, more = ""): void => {
  const tail = more === "" ? "" : `, ${more}`;
  console.info(
    `${fault}: ${clients} clients, ${shownBytes} bytes of keys shown, ${unaccounted.length} unaccounted${tail}`,
  );
};

/** What `pep audit verify` says of it. */
export const verified = async (dataDirectory: string): Promise<string> => {
  const { stdout } = await pep(["audit", "verify", "--data-dir", dataDirectory]);
  return stdout;
};

/** Prints what the clients received, and expects each piece of it on the record. */
export const expectNothingUnaccounted = (
  fault: string,
  keys: ReadonlyMap<string, string>,
  clients: readonly Client[],
  endpoint: Endpoint,
  more?: string,
): void => {
  const accounts = account(keys, clients, endpoint.events());
  printAccounts(fault, accounts, more);
  expect(accounts.shownBytes).toBeGreaterThan(1000);
  expect(accounts.unaccounted).toEqual([]);
};
