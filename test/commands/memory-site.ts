import { foldComputerName, isSameComputer } from "../../server/model/computer-name.ts";
import { cameAfter } from "../../server/site-database/uncollected.ts";
import { Secret } from "../../server/secret.ts";
import type {
  CertificateBackupRequest,
  CertificateCreateRequest,
  CertificateMade,
  CertificateRestoreRequest,
  CertificateState,
  CertificateVerification,
  OtherProtector,
  RecoveryKey,
  RecoveryKeyQuery,
  SiteDatabase,
  TpmPasswordHash,
  VolumeType,
} from "../../server/command/site-database.ts";

/** What a command asked of its site, in order. */
interface Asked {
  readonly what:
    | "computers"
    | "search"
    | "count"
    | "read"
    | "mark"
    | "has-package"
    | "take-package"
    | "protectors"
    | "tpm"
    | "verify"
    | "backup"
    | "find"
    | "create"
    | "restore";
  readonly name?: string;
  readonly query?: RecoveryKeyQuery;
  readonly passwordIds?: readonly string[];
  readonly reason?: string;
  readonly backup?: CertificateBackupRequest;
  readonly create?: CertificateCreateRequest;
  readonly restore?: CertificateRestoreRequest;
}

export interface MemorySite extends SiteDatabase {
  readonly asked: Asked[];
  /** Password ids, in the order in which they were marked. */
  readonly marked: string[];
}

const volumeTypes: readonly VolumeType[] = ["OperatingSystem", "FixedData", "Removable"];

/** Made-up keys: computers PC-0001… with three volumes each; ids that tell their number, and a key of 48 digits. */
export const makeKeys = (count: number): readonly RecoveryKey[] =>
  Array.from({ length: count }, (_, index) => {
    const number = String(index + 1).padStart(4, "0");
    const passwordId = `ABCD${number}-0000-4000-8000-00000000${number}`;
    const computerName = `PC-${String(Math.floor(index / 3) + 1).padStart(4, "0")}`;
    const group = String((index + 1) * 11).padStart(6, "0");
    return {
      passwordId,
      recoveryKey: new Secret(Array.from({ length: 8 }, () => group).join("-"), { keyId: passwordId, computerName }),
      computerName,
      volumeId: `DCBA${number}-0000-4000-8000-00000000${number}`,
      volumeType: volumeTypes[index % 3] ?? "Unknown",
      lastUpdateTime: new Date(Date.UTC(2026, 10, 1 + index)).toISOString(),
      disclosed: false,
      state: "Current",
    };
  });

const matches = (query: RecoveryKeyQuery, key: RecoveryKey): boolean =>
  (query.computerNames?.some((name) => name.toLowerCase() === key.computerName.toLowerCase()) ?? true) &&
  (query.passwordIds?.some((id) => key.passwordId.startsWith(id)) ?? true) &&
  (query.volumeTypes?.includes(key.volumeType) ?? true) &&
  (query.since === undefined || new Date(key.lastUpdateTime) >= query.since);

const made: CertificateMade = {
  thumbprint: "f".repeat(64),
  parts: [
    { part: "BitLockerManagement_CERT", result: "was there" },
    { part: "CONTROL for RecoveryAndHardwareRead", result: "granted" },
  ],
};

/** The port over an array, two keys a batch: it shows what was asked and marked, which no real database tells. */
export const createMemorySite = (
  keys: readonly RecoveryKey[],
  verification: CertificateVerification = { microsoftCheck: true, valid: true, findings: [] },
  state: CertificateState = { hasMasterKey: true },
  packages: ReadonlyMap<string, Secret> = new Map(),
  protectors: readonly OtherProtector[] = [],
  hashes: readonly TpmPasswordHash[] = [],
): MemorySite => {
  const asked: Asked[] = [];
  const marked: string[] = [];
  async function* batches(query: RecoveryKeyQuery): AsyncGenerator<readonly RecoveryKey[]> {
    const found = keys.filter((key) => matches(query, key));
    for (let at = 0; at < found.length; at += 2) yield found.slice(at, at + 2);
  }
  return {
    asked,
    marked,
    findComputers: async (name) => {
      asked.push({ what: "computers", name });
      const stored = [...new Set(keys.map(({ computerName }) => computerName))];
      const same = stored.filter((one) => foldComputerName(one) === foldComputerName(name));
      return { same, other: stored.filter((one) => isSameComputer(one, name) && !same.includes(one)) };
    },
    searchKeys: async function* search({ name, keyId }) {
      asked.push({ what: "search", name: name ?? keyId ?? "" });
      yield keys.filter(
        ({ computerName, passwordId }) =>
          (name !== undefined && foldComputerName(computerName).includes(foldComputerName(name))) ||
          (keyId !== undefined && passwordId.includes(keyId)),
      );
    },
    countRecoveryKeys: async (query) => {
      asked.push({ what: "count", query });
      return keys.filter((key) => matches(query, key)).length;
    },
    keysStored: async () => ({ database: "memory", keys: keys.length }),
    keysSince: async (before) => cameAfter({ database: "memory", keys: keys.length }, before),
    readRecoveryKeys: (query) => {
      asked.push({ what: "read", query });
      return batches(query);
    },
    markDisclosed: async (passwordIds, reason) => {
      asked.push({ what: "mark", passwordIds, reason });
      marked.push(...passwordIds);
    },
    hasRecoveryPackage: async (passwordId) => {
      asked.push({ what: "has-package", passwordIds: [passwordId] });
      return packages.has(passwordId);
    },
    takeRecoveryPackage: async (passwordId, reason) => {
      asked.push({ what: "take-package", passwordIds: [passwordId], reason });
      const found = packages.get(passwordId);
      if (found !== undefined) marked.push(passwordId);
      return found;
    },
    readProtectors: async function* read(query) {
      asked.push({ what: "protectors", query });
      const names = query.computerNames?.map(foldComputerName);
      yield protectors.filter(
        ({ computerName, protectorId, volumeType }) =>
          (names?.includes(foldComputerName(computerName)) ?? true) &&
          (query.passwordIds?.some((id) => protectorId.startsWith(id)) ?? true) &&
          (query.volumeTypes?.includes(volumeType) ?? true),
      );
    },
    readTpmPasswordHashes: async (name) => {
      asked.push({ what: "tpm", name });
      return hashes.filter(({ computerName }) => foldComputerName(computerName) === foldComputerName(name));
    },
    verifyCertificate: async () => {
      asked.push({ what: "verify" });
      return verification;
    },
    backupCertificate: async (request) => {
      asked.push({ what: "backup", backup: request });
      const files = request.form === "Pfx" ? [`${request.name}.pfx`] : [`${request.name}.cer`, `${request.name}.key`];
      return {
        thumbprint: "f".repeat(64),
        files: files.map((fileName) => ({ fileName, bytes: 1024, sha256: "0".repeat(64) })),
      };
    },
    findCertificate: async () => {
      asked.push({ what: "find" });
      return state;
    },
    createCertificate: async (create) => {
      asked.push({ what: "create", create });
      return made;
    },
    restoreCertificate: async (restore) => {
      asked.push({ what: "restore", restore });
      return made;
    },
    close: async () => undefined,
  };
};
