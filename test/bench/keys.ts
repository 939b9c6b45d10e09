import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface BenchKey {
  readonly computerName: string;
  readonly keyId: string;
  readonly recoveryPassword: string;
}

/** Well-formed, different, and the same in every run. */
export const makeKeys = (count: number): readonly BenchKey[] =>
  Array.from({ length: count }, (_, number) => {
    const digest = createHash("sha256").update(String(number)).digest();
    const hex = digest.toString("hex").toUpperCase();
    return {
      computerName: `PC-${String(number).padStart(7, "0")}`,
      keyId: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-A${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
      recoveryPassword: Array.from({ length: 8 }, (__, group) =>
        String(digest.readUInt16BE(group * 2) * 11).padStart(6, "0"),
      ).join("-"),
    };
  });

export const writeCsv = (keys: readonly BenchKey[], file: string): void => {
  const lines = keys.map(({ computerName, keyId, recoveryPassword }) => `${computerName},${keyId},${recoveryPassword}`);
  writeFileSync(file, `ComputerName,RecoveryKeyId,RecoveryPassword\n${lines.join("\n")}\n`);
};

/** The peer's two files: every key in plain text, and every key as an AES-256-GCM cell with its key beside it. */
export const writePeerFiles = (keys: readonly BenchKey[], directory: string): void => {
  const plain = new DatabaseSync(join(directory, "plain.sqlite"));
  plain.exec(
    `CREATE TABLE keys (PasswordId TEXT PRIMARY KEY, RecoveryKey TEXT, ComputerName TEXT, VolumeId TEXT, VolumeType TEXT, LastUpdateTime TEXT); BEGIN`,
  );
  const cells = new DatabaseSync(join(directory, "cells.sqlite"));
  cells.exec(
    `CREATE TABLE keys (Id INTEGER PRIMARY KEY, PasswordId TEXT, Cell BLOB, ComputerName TEXT, VolumeId TEXT, VolumeType TEXT, LastUpdateTime TEXT); BEGIN`,
  );
  const addPlain = plain.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, 'Unknown', '2026-01-01T00:00:00.000Z')");
  const addCell = cells.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, ?, 'Unknown', '2026-01-01T00:00:00.000Z')");
  const dataKey = randomBytes(32);
  writeFileSync(join(directory, "cells.key"), dataKey, { mode: 0o644 });
  keys.forEach(({ computerName, keyId, recoveryPassword }, index) => {
    addPlain.run(keyId, recoveryPassword, computerName, keyId);
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", dataKey, nonce);
    cipher.setAAD(Buffer.from(`${index + 1} ${keyId}`));
    const body = Buffer.concat([nonce, cipher.update(recoveryPassword), cipher.final(), cipher.getAuthTag()]);
    addCell.run(index + 1, keyId, body, computerName, keyId);
  });
  for (const database of [plain, cells]) {
    database.exec("COMMIT");
    database.close();
  }
};
