import type { OnQuery } from "./answer.ts";
import { answerCatalogue, checkReferences } from "./model/catalogue.ts";
import { answerCertificateQuery, rollBack, runCommand } from "./model/certificate-commands.ts";
import { thumbprintOf } from "./model/certificate-files.ts";
import type { CertificatePair } from "./model/certificate-files.ts";
import {
  answerCountClosed,
  answerCountKeys,
  answerCountOpened,
  answerCountUnreadable,
  answerFindComputers,
  answerSearchKeys,
  answerGetRecoveryKey,
  answerKeysById,
  answerKeysOfComputer,
  answerSample,
} from "./model/key-queries.ts";
import { parseBatch } from "./model/parse-batch.ts";
import { SqlError } from "./model/sql-error.ts";
import { certificateName, modelPermissions, storedCertificate } from "./model/state.ts";
import type { SiteShape, SiteState } from "./model/state.ts";
import { numberedTables, StoredTables } from "./model/tables.ts";
import type { ModelRecord } from "./model/tables.ts";
import type { Respond } from "./respond.ts";
import type { TdsRequest } from "./rpc.ts";
import { startTdsServer } from "./server.ts";
import type { TdsServer, TdsServerOptions } from "./server.ts";

/*
 * A MODEL of a Configuration Manager site's database behind the test server. It answers the statements of the product's
 * adapter by the name in their leading comment and their typed parameters, holds their text against the shape of the site, and
 * parses certificate statements strictly. It proves what the adapter makes of a site; never that SQL Server takes the SQL.
 */

/** What public scripts show of a site; types where no source shows them are ours. */
const usualShape: SiteShape = {
  keyIdType: "varchar",
  volumeIdType: "int",
  timeType: "datetime",
  keyColumn: "varbinary",
  hasVolumeGuid: true,
  hasTypeName: true,
  decryptParameters: 2,
  hasGetRecoveryKey: true,
  hasPackages: true,
  hasGetTpm: true,
  majorVersion: 16,
};

export interface ModelSiteOptions {
  /** Of BitLockerManagement_CERT and of the stored keys; from `makeCertificatePair`, once a test file: RSA takes a while. */
  readonly certificate: CertificatePair;
  readonly shape?: Partial<SiteShape>;
  readonly databaseName?: string;
  /** Instead of `add`: so many keys, one a computer, all with this recovery key. */
  readonly numbered?: { readonly keys: number; readonly recoveryKey: string };
}

export interface ModelSite {
  readonly state: SiteState;
  readonly onQuery: OnQuery;
  /** A connection has ended: its transaction is rolled back. */
  readonly onEnd: (connection: number) => void;
  /** Adds a recovery key, encrypted by the site's first certificate; `plain` leaves it as text. */
  add(record: ModelRecord, storage?: "encrypted" | "plain"): void;
  /** Takes a principal's CONTROL on the certificate away. */
  revokeControl(principal: string): void;
}

/** `/* pep:<name> *\/`, which every statement of the adapter begins with; a procedure has its own name. */
export const statementNameOf = ({ text, procedure }: TdsRequest): string =>
  /^\/\* pep:([a-z-]+) \*\//.exec(text)?.[1] ?? procedure;

const answer = async (state: SiteState, request: TdsRequest, respond: Respond, signal: AbortSignal): Promise<void> => {
  const name = statementNameOf(request);
  if (request.kind === "rpc" && request.text !== "") checkReferences(state, request);
  switch (name) {
    case "read-keys-by-id":
      return answerKeysById(state, request, respond, signal);
    case "read-keys-of-computer":
      return answerKeysOfComputer(state, request, respond, signal);
    case "count-keys":
      return answerCountKeys(state, request, respond, signal);
    case "search-keys":
      return answerSearchKeys(state, request, respond, signal);
    case "find-computers":
      return answerFindComputers(state, request, respond, signal);
    case "count-unreadable-keys":
      return answerCountUnreadable(state, respond, signal);
    case "count-closed-keys":
      return answerCountClosed(state, request, respond, signal);
    case "count-opened-keys":
      return answerCountOpened(state, respond, signal);
    case "sample-keys":
      return answerSample(state, request, respond, signal);
    case "RecoveryAndHardwareRead.GetRecoveryKey":
      return answerGetRecoveryKey(state, request, respond);
  }
  if (await answerCatalogue(name, state, request, respond)) return;
  if (await answerCertificateQuery(name, state, respond)) return;
  if (request.kind === "rpc" && request.text === "")
    throw new SqlError(2812, `Could not find stored procedure '${request.procedure}'.`);
  if (request.kind === "rpc") throw new Error(`the model does not know the statement ${name}`);
  for (const command of parseBatch(request.text)) await runCommand(command, state, request, respond);
};

const createModelSite = (options: ModelSiteOptions): ModelSite => {
  const { certificate, databaseName = "CM_PEP", numbered } = options;
  const shape = { ...usualShape, ...options.shape };
  const encryptedBy = thumbprintOf(certificate);
  const stored = new StoredTables(shape);
  const state: SiteState = {
    databaseName,
    shape,
    tables: numbered === undefined ? stored : numberedTables(numbered.keys, numbered.recoveryKey, encryptedBy),
    permissions: new Set(modelPermissions),
    role: "primary",
    masterKey: "opens by itself",
    certificates: new Map([
      [
        certificateName,
        {
          ...storedCertificate(certificate, "RecoveryAndHardwareCore"),
          grants: new Set(["RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"]),
        },
      ],
    ]),
    disclosures: [],
    disclosed: new Set(),
    files: new Map(),
    backupDirectory: "D:\\Backup\\",
    transactions: new Map(),
  };
  return {
    state,
    onQuery: async (request, respond, signal) => {
      try {
        await answer(state, request, respond, signal);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        respond.error({ number: error.number, class: error.class, message: error.message });
        // XACT_ABORT is on in every transaction of the adapter's, so the first error ends it.
        rollBack(state, request.connection);
      }
    },
    onEnd: (connection) => rollBack(state, connection),
    add: (record, storage = "encrypted") =>
      stored.add({ ...record, encryptedBy: storage === "plain" ? undefined : (record.encryptedBy ?? encryptedBy) }),
    revokeControl: (principal) => {
      const found = state.certificates.get(certificateName);
      if (found === undefined) return;
      const grants = new Set([...found.grants].filter((one) => one !== principal));
      state.certificates = new Map(state.certificates).set(certificateName, { ...found, grants });
    },
  };
};

/** A model site behind a server of its own. */
export const startModelSite = async (
  options: ModelSiteOptions & Omit<TdsServerOptions, "onQuery" | "onEnd">,
): Promise<ModelSite & { readonly server: TdsServer }> => {
  const site = createModelSite(options);
  const server = await startTdsServer({ ...options, onQuery: site.onQuery, onEnd: site.onEnd });
  return { ...site, server };
};
