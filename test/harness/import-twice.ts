import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { guid, passwordOf } from "../site-database/fixture.ts";
import { makeDemo, pep } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export const links = "RecoveryAndHardwareCore_Machines_Volumes";
export const keys = "RecoveryAndHardwareCore_Keys";
export const machines = "RecoveryAndHardwareCore_Machines";
/** PC-1 as the first import names it. */
export const device = guid("device");

interface Line {
  readonly key: number;
  readonly computer: string;
  readonly volume: number;
  readonly month: number;
}

const csvOf = (lines: readonly Line[]): string =>
  [
    "PasswordId,RecoveryKey,ComputerName,VolumeId,VolumeType,LastUpdateTime",
    ...lines.map(({ key, computer, volume, month }) =>
      [
        guid(`key ${key}`),
        passwordOf(key),
        computer,
        guid(`volume ${volume}`),
        "OperatingSystem",
        `2026-0${month}-01T00:00:00.000Z`,
      ].join(","),
    ),
    "",
  ].join("\n");

export const site = (directory: string): string => join(directory, "site.sqlite");

export const importing = (directory: string, lines: readonly Line[]): ReturnType<typeof pep> => {
  const file = join(directory, "..", "keys.csv");
  writeFileSync(file, csvOf(lines));
  return pep(["import", "--data-dir", directory, file]);
};

/** Edits the file as someone would who has it, but no key. */
export const edit = (file: string, ...statements: readonly string[]): void => {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false, timeout: 5000, defensive: false });
  try {
    for (const statement of statements) database.exec(statement);
  } finally {
    database.close();
  }
};

export const putBackFile = (file: string, copy: string): void => {
  rmSync(`${file}-wal`, { force: true });
  rmSync(`${file}-shm`, { force: true });
  copyFileSync(copy, file);
};

/** A demo's data directory after two imports. */
export interface ImportedTwice {
  /** The database between the two. */
  readonly older: string;
  /** And after them. */
  readonly newest: string;
  /** A copy of the directory, with no server on it; removed when the test is over. */
  stopped(): string;
  dispose(): void;
}

const succeeded = async (command: ReturnType<typeof pep>): Promise<void> => {
  const { status, stderr } = await command;
  if (status !== 0) throw new Error(stderr);
};

/** Makes one; each import adds what the other lacks, and the second takes a link away. */
export const importTwice = async (): Promise<ImportedTwice> => {
  const root = mkdtempSync(join(tmpdir(), "pep-set-"));
  const directory = join(root, "pep");
  const older = join(root, "older.sqlite");
  const newest = join(root, "newest.sqlite");
  await makeDemo(directory);
  // PC-1 by its device id alone, as Microsoft Graph names it, and PC-2.
  await succeeded(
    importing(directory, [
      { key: 1, computer: device, volume: 1, month: 1 },
      { key: 2, computer: "PC-2", volume: 2, month: 1 },
    ]),
  );
  copyFileSync(site(directory), older);
  // The device is PC-1, which has a newer key by now.
  await succeeded(
    importing(directory, [
      { key: 1, computer: "PC-1", volume: 1, month: 1 },
      { key: 3, computer: "PC-1", volume: 1, month: 6 },
      { key: 4, computer: "PC-4", volume: 4, month: 6 },
    ]),
  );
  copyFileSync(site(directory), newest);
  return {
    older,
    newest,
    stopped: () => {
      const copy = join(temporaryDirectory(), "pep");
      cpSync(directory, copy, { recursive: true });
      return copy;
    },
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
};
