import {
  backupToFiles,
  backupToPfx,
  beginTransaction,
  closedKeysPage,
  commitTransaction,
  countOpenedKeys,
  countUnreadableKeys,
  createCertificate,
  createMasterKey,
  exportCertificate,
  findCertificate,
  findOldCertificate,
  grantControl,
  inspectCertificate,
  readCertificate,
  readServerFile,
  restoreFromBytes,
  restoreFromFiles,
  restoreFromPfx,
  rollBackTransaction,
  sampleKeys,
  verifyAsMicrosoft,
} from "./certificate-statements.ts";
import {
  introspectColumns,
  introspectObjects,
  introspectParameters,
  introspectPermissions,
  introspectSession,
  introspectVolumeTypes,
} from "./introspection-statements.ts";
import { quoteText } from "./quoting.ts";
import { expectedShape, storages } from "./site-shape.ts";
import type { SiteShape } from "./site-shape.ts";
import type { Parameter, Statement } from "./statement.ts";
import { checkHealth, countKeys, findComputers, getRecoveryKey, pageOfKeys, searchKeys } from "./statements.ts";
import type { KeyFilter } from "./statements.ts";

const samplePassword = "it's a 'sample' Passw0rd";
const files = { certificatePath: "D:\\Backup\\site.cer", keyPath: "D:\\Backup\\site.pvk" };
const sampleBytes = Uint8Array.of(0x30, 0x82, 0x01, 0x0a);

const anyKey: KeyFilter = {
  computerName: undefined,
  passwordId: undefined,
  since: undefined,
  volumeTypeIds: undefined,
  latest: false,
  withState: false,
};
const everyFilter: KeyFilter = {
  computerName: "PC-4711",
  passwordId: "D2C4A6F8",
  since: "2026-11-22T09:30:00.000",
  volumeTypeIds: ",1,2,",
  latest: true,
  withState: true,
};
const after = {
  keyId: "D2C4A6F8-1B3D-4F5A-8C7E-9A0B1C2D3E4F",
  lastUpdateTime: "2026-11-22T09:30:00.123",
};

/** Shapes whose statements differ from each other: each storage, and each family of types. */
const shapes: readonly SiteShape[] = [
  ...storages.map((storage) => ({ ...expectedShape, storage })),
  {
    ...expectedShape,
    keyIdType: "uniqueidentifier",
    volumeIdType: "uniqueidentifier",
    timeType: "datetime2",
    decryptParameters: 1,
    hasVolumeGuid: true,
    hasTypeName: false,
  },
];

const ofShape = (shape: SiteShape): readonly Statement[] => [
  ...[anyKey, { ...everyFilter, passwordId: undefined }, everyFilter].map((filter) =>
    pageOfKeys(shape, { filter, after, pageRows: 20_000 }),
  ),
  countKeys(shape, everyFilter),
  searchKeys(shape, { name: "PC_47", keyId: "D2C4" }, { after, pageRows: 200 }),
  sampleKeys(shape, 20),
  countUnreadableKeys(shape),
  closedKeysPage(shape, { afterKeyId: after.keyId, pageRows: 2000 }),
  countOpenedKeys(shape),
];

/** Every statement the product can send, with sample parameters; some names several times, once for each shape of a site. */
export const everyStatement = (): readonly Statement[] => [
  checkHealth(),
  introspectSession(),
  introspectObjects(),
  introspectColumns(),
  introspectParameters(),
  introspectVolumeTypes(true),
  introspectVolumeTypes(false),
  introspectPermissions(),
  ...shapes.flatMap(ofShape),
  findComputers("PC_1.corp.example"),
  getRecoveryKey(after.keyId, "Drive recovery"),
  verifyAsMicrosoft(),
  inspectCertificate(),
  findCertificate(),
  findOldCertificate(),
  beginTransaction(),
  createMasterKey(samplePassword),
  createCertificate("20391022"),
  grantControl("RecoveryAndHardwareRead"),
  grantControl("RecoveryAndHardwareWrite"),
  restoreFromFiles(files, samplePassword),
  restoreFromPfx("D:\\Backup\\site.pfx", samplePassword),
  restoreFromBytes(sampleBytes, sampleBytes, samplePassword),
  commitTransaction(),
  rollBackTransaction(),
  readCertificate(),
  exportCertificate(samplePassword),
  backupToFiles(files, samplePassword),
  backupToPfx("D:\\Backup\\site.pfx", samplePassword),
  readServerFile(files.certificatePath),
];

const declaration = (name: string, parameter: Parameter): string => {
  switch (parameter.type) {
    case "text":
      return `DECLARE @${name} nvarchar(4000) = ${parameter.value === null ? "NULL" : quoteText(parameter.value)};`;
    case "int":
      return `DECLARE @${name} int = ${parameter.value};`;
    case "bit":
      return `DECLARE @${name} bit = ${parameter.value ? 1 : 0};`;
  }
};

/** A statement as one line that a parser, or a query window, takes as it is. */
const asBatch = ({ kind, text, parameters }: Statement): string => {
  const entries = Object.entries(parameters);
  const whole =
    kind === "procedure"
      ? `EXEC ${text} ${entries.map(([name, { value }]) => `@${name} = ${quoteText(String(value))}`).join(", ")};`
      : [...entries.map(([name, parameter]) => declaration(name, parameter)), text].join(" ");
  return whole.replace(/\s+/g, " ");
};

/** `pep`'s T-SQL for review: name, tab, statement; one a line. */
export const listSql = (): string => {
  const lines = everyStatement().map((statement) => `${statement.name}\t${asBatch(statement)}\n`);
  return [...new Set(lines)].join("");
};

if (import.meta.main) process.stdout.write(listSql());
