import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ReadOptions } from "../../server/import/contract.ts";
import { readRecoveryFile } from "../../server/import/read-recovery-file.ts";
import { revealSecret } from "../../server/secret.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";

/** A small seeded generator (mulberry32): the same made-up keys on every run. */
export const createRandom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};

const upTo = (random: () => number, limit: number): number => Math.floor(random() * limit);

/** A made-up recovery password that is well-formed: eight groups, each a 16-bit number times 11. */
export const makePassword = (random: () => number): string =>
  Array.from({ length: 8 }, () => String(upTo(random, 65_536) * 11).padStart(6, "0")).join("-");

export const makeGuid = (random: () => number): string => {
  const hex = Array.from({ length: 32 }, () => upTo(random, 16).toString(16))
    .join("")
    .toUpperCase();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
};

/** Bytes of a GUID as Active Directory keeps them, in base64. */
export const guidBase64 = (guid: string): string => {
  const hex = guid.replaceAll("-", "");
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Buffer.from(order.map((index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16))).toString("base64");
};

export const sharedData = join(import.meta.dirname, "..", "..", "..", "shared", "data");
export const samples = join(sharedData, "manage-bde-samples");
export const samplesAreThere = existsSync(samples);

export const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);
export const fixtureText = (name: string): string => readFileSync(fixture(name), "utf8");

export const writeFile = (directory: string, name: string, content: string | Uint8Array): string => {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
};

export const readAll = async (path: string, options?: ReadOptions): Promise<RecoveryRecord[]> => {
  const records: RecoveryRecord[] = [];
  for await (const record of readRecoveryFile(path, options)) if ("protector" in record) records.push(record);
  return records;
};

export const passwordOf = (record: RecoveryRecord | undefined): string | undefined =>
  record?.protector.kind === "NumericalPassword" ? revealSecret(record.protector.recoveryPassword) : undefined;

/** `[key id, password]` of the recovery passwords, in the file's order. */
export const pairs = (records: readonly RecoveryRecord[]): [string, string | undefined][] =>
  records
    .filter(({ protector }) => protector.kind === "NumericalPassword")
    .map((record) => [record.protector.keyId, passwordOf(record)]);
