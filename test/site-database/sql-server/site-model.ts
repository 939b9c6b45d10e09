import { revealSecret } from "../../../server/secret.ts";
import type { RecoveryRecord } from "../../../server/site-database/recovery-record.ts";
import type { Respond } from "../../harness/tds-server/respond.ts";
import type { TdsRequest } from "../../harness/tds-server/rpc.ts";
import { answerCatalogue, columns, keyColumns, nameOf, parameter, result } from "./catalogue.ts";
import { certificatePair } from "./certificate-pair.ts";
import { encodePvk } from "./pvk-writer.ts";

/*
 * What our statements are meant to say, written a second time in another language: it answers by a statement's name and
 * parameters and never looks at its text. A model: whether SQL Server takes the text the same way, only SQL Server can tell.
 */

export type Principal = "RecoveryAndHardwareRead" | "RecoveryAndHardwareWrite";

interface StoredKey {
  readonly volumeId: number;
  readonly keyId: string;
  readonly text: string;
  readonly updatedAt: number;
  disclosed: boolean;
}

const typeIds = { Unknown: 0, OperatingSystem: 1, FixedData: 2, Removable: 3 } as const;

const fold = (name: string): string => name.toUpperCase().trimEnd();
const inOrder = <T>(a: T, b: T): number => (a < b ? -1 : Number(a > b));
const styled = (ms: number): string =>
  new Date(ms)
    .toISOString()
    .slice(0, -1)
    .replace(/\.000$/, "");

interface JoinedRow {
  readonly key: StoredKey;
  readonly computerName: string;
}

export class SiteModel {
  readonly #machines = new Map<string, { readonly id: number; readonly name: string }>();
  readonly #volumes = new Map<string, { readonly id: number; readonly guid: string; readonly typeId: number }>();
  readonly #links = new Set<string>();
  readonly #keys: StoredKey[] = [];
  readonly controls = new Set<Principal>(["RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"]);
  readonly pair = certificatePair();
  masterKeyOpen = true;
  hasMasterKey = true;
  hasCertificate = true;
  /** The one that the stored keys are encrypted by. */
  certificateOpensKeys = true;
  lastBackupAt: number | undefined;
  /** Batches with DDL that were run, by name; a rolled-back transaction's are gone. */
  readonly executed: string[] = [];
  #saved: { readonly hasMasterKey: boolean; readonly hasCertificate: boolean; readonly executed: number } | undefined;
  /** Files on the server's own disk. */
  readonly serverFiles = new Map<string, Uint8Array>();

  add(record: RecoveryRecord): void {
    const { protector } = record;
    if (protector.kind !== "NumericalPassword") return;
    const name = fold(record.computerName);
    const machine = this.#machines.get(name) ?? { id: this.#machines.size + 1, name: record.computerName };
    this.#machines.set(name, machine);
    const guid = record.volumeId ?? protector.keyId;
    const volume = this.#volumes.get(guid) ?? { id: this.#volumes.size + 1, guid, typeId: typeIds[record.volumeType] };
    this.#volumes.set(guid, volume);
    this.#links.add(`${machine.id} ${volume.id}`);
    if (this.#keys.some((key) => key.keyId === protector.keyId)) return;
    this.#keys.push({
      volumeId: volume.id,
      keyId: protector.keyId,
      text: revealSecret(protector.recoveryPassword),
      updatedAt: Date.parse(record.lastUpdateTime ?? "2026-01-01T00:00:00.000Z"),
      disclosed: false,
    });
  }

  #decrypt(key: StoredKey): string | null {
    const opens =
      this.masterKeyOpen &&
      this.hasCertificate &&
      this.certificateOpensKeys &&
      this.controls.has("RecoveryAndHardwareRead");
    return opens ? key.text : null;
  }

  #isNewest(key: StoredKey): boolean {
    return !this.#keys.some(
      (other) =>
        other.volumeId === key.volumeId &&
        (other.updatedAt > key.updatedAt || (other.updatedAt === key.updatedAt && other.keyId > key.keyId)),
    );
  }

  #find(request: TdsRequest): readonly JoinedRow[] {
    const name = parameter(request, "computerName");
    const id = parameter(request, "passwordId");
    const since = parameter(request, "since");
    const types = parameter(request, "volumeTypeIds");
    const latest = parameter(request, "latest") === true;
    const volumeTypes = new Map([...this.#volumes.values()].map((volume) => [volume.id, volume.typeId]));
    return this.#keys
      .filter((key) => typeof id !== "string" || key.keyId.startsWith(id.replace(/%$/, "")))
      .filter((key) => typeof since !== "string" || key.updatedAt >= Date.parse(`${since}Z`))
      .filter((key) => typeof types !== "string" || types.includes(`,${volumeTypes.get(key.volumeId)},`))
      .filter((key) => !latest || this.#isNewest(key))
      .flatMap((key) =>
        [...this.#machines.values()]
          .filter((machine) => this.#links.has(`${machine.id} ${key.volumeId}`))
          .filter((machine) => typeof name !== "string" || fold(machine.name) === fold(name))
          .map((machine) => ({ key, computerName: machine.name })),
      );
  }

  async #page(request: TdsRequest, respond: Respond, ofComputer: boolean, withKeys: boolean): Promise<void> {
    const after = (name: string): string | undefined => {
      const value = parameter(request, name);
      return typeof value === "string" ? value : undefined;
    };
    const afterKey = after("afterKeyId");
    const afterVolume = Number(after("afterVolume"));
    const afterTime = Date.parse(`${after("afterTime")}Z`);
    const order = (a: StoredKey, b: StoredKey): number =>
      (ofComputer ? a.volumeId - b.volumeId || b.updatedAt - a.updatedAt : 0) || inOrder(a.keyId, b.keyId);
    const isAfter = ({ key }: JoinedRow): boolean =>
      afterKey === undefined ||
      order(key, { ...key, volumeId: afterVolume, updatedAt: afterTime, keyId: afterKey }) > 0;
    const rows = [...this.#find(request)].sort((a, b) => order(a.key, b.key)).filter(isAfter);
    let end = Math.min(rows.length, Number(parameter(request, "pageRows")));
    // WITH TIES.
    while (end > 0 && end < rows.length && rows[end]?.key.keyId === rows[end - 1]?.key.keyId) end += 1;
    const guids = new Map([...this.#volumes.values()].map((volume) => [volume.id, volume]));
    respond.columns(keyColumns);
    for (const { key, computerName } of rows.slice(0, end)) {
      const volume = guids.get(key.volumeId);
      await respond.row([
        key.keyId,
        computerName,
        String(key.volumeId),
        volume?.guid ?? null,
        volume?.typeId ?? null,
        styled(key.updatedAt),
        key.disclosed,
        withKeys ? this.#decrypt(key) : null,
      ]);
    }
  }

  /** Answers one request, as SQL Server would. */
  async answer(request: TdsRequest, respond: Respond): Promise<void> {
    if (await answerCatalogue(request, respond)) return;
    const name = nameOf(request);
    const unreadable = this.#keys.filter((key) => this.#decrypt(key) === null).length;
    switch (name) {
      case "read-keys-by-id":
      case "read-keys-of-computer":
        return this.#page(request, respond, name.endsWith("computer"), true);
      case "find-keys-by-id":
      case "find-keys-of-computer":
        return this.#page(request, respond, name.endsWith("computer"), false);
      case "count-keys":
        return result(respond, columns({ KeyCount: "bigint" }), [[BigInt(this.#find(request).length)]]);
      case "RecoveryAndHardwareRead.GetRecoveryKey":
        return this.#disclose(request, respond);
      case "sample-keys": {
        const sampled = Math.min(this.#keys.length, Number(parameter(request, "sampleRows")));
        const readable = unreadable === 0 ? sampled : 0;
        return result(respond, columns({ Sampled: "int", Readable: "int" }), [[sampled, readable]]);
      }
      case "count-unreadable-keys":
        return result(respond, columns({ Unreadable: "bigint" }), [[BigInt(unreadable)]]);
      default:
        return this.#answerCertificate(name, request, respond);
    }
  }

  async #disclose(request: TdsRequest, respond: Respond): Promise<void> {
    const id = parameter(request, "RecoveryKeyId");
    const key = this.#keys.find((each) => each.keyId === id);
    const of = columns({ RecoveryKeyId: "varchar(36)", RecoveryKey: "nvarchar(55)", LastUpdateTime: "datetime" });
    if (key !== undefined) key.disclosed = true;
    await result(respond, of, key === undefined ? [] : [[key.keyId, this.#decrypt(key), styled(key.updatedAt)]]);
  }

  async #answerCertificate(name: string, request: TdsRequest, respond: Respond): Promise<void> {
    const literals = [...request.text.matchAll(/N'((?:[^']|'')*)'/g)].map((match) =>
      (match[1] ?? "").replaceAll("''", "'"),
    );
    switch (name) {
      case "verify-certificate-microsoft":
        // The owner counts as grantor: three with both grants, two with one, none without.
        return result(respond, columns({ "": "int" }), [[this.hasCertificate && this.controls.size === 2 ? 1 : 0]]);
      case "inspect-certificate":
        return this.#inspect(respond);
      case "find-certificate":
        return result(respond, columns({ DatabaseName: "nvarchar(128)", MasterKeys: "int", Certificates: "int" }), [
          ["CM_PEP", Number(this.hasMasterKey), Number(this.hasCertificate)],
        ]);
      case "read-certificate":
        return result(respond, columns({ Certificate: "varbinary(max)" }), [[this.pair.certificate]]);
      case "export-certificate": {
        const [, password = ""] = /CERTPRIVATEKEY\(CERT_ID\('\w+'\), N'([^']*)'\)/.exec(request.text) ?? [];
        const given = this.hasCertificate && this.masterKeyOpen;
        if (given) this.lastBackupAt = Date.now();
        return result(respond, columns({ Certificate: "varbinary(max)", PrivateKey: "varbinary(max)" }), [
          [given ? this.pair.certificate : null, given ? encodePvk(this.pair.privateKey, password, {}) : null],
        ]);
      }
      case "read-backup-file": {
        const file = this.serverFiles.get(literals[0] ?? "");
        if (file === undefined)
          return respond.error({ number: 4860, message: "Cannot bulk load. The file does not exist." });
        return result(respond, columns({ Content: "varbinary(max)" }), [[file]]);
      }
      case "backup-certificate-to-files": {
        const [certificatePath = "", keyPath = "", password = ""] = literals;
        this.serverFiles.set(certificatePath, this.pair.certificate);
        this.serverFiles.set(keyPath, encodePvk(this.pair.privateKey, password, {}));
        return respond.done();
      }
      case "begin-transaction":
        this.#saved = {
          hasMasterKey: this.hasMasterKey,
          hasCertificate: this.hasCertificate,
          executed: this.executed.length,
        };
        return respond.done();
      case "commit-transaction":
        this.#saved = undefined;
        return respond.done();
      case "roll-back-transaction":
        if (this.#saved !== undefined) {
          ({ hasMasterKey: this.hasMasterKey, hasCertificate: this.hasCertificate } = this.#saved);
          this.executed.length = this.#saved.executed;
        }
        this.#saved = undefined;
        return respond.done();
      case "create-master-key":
        this.hasMasterKey = true;
        this.executed.push(name);
        return respond.done();
      case "create-certificate":
      case "restore-certificate-from-files":
      case "restore-certificate-from-pfx":
      case "restore-certificate-from-bytes":
        if (literals.includes("Wrong-Password-1"))
          return respond.error({ number: 15465, message: "invalid Wrong-Password-1" });
        this.hasCertificate = true;
        this.executed.push(name);
        return respond.done();
      default:
        throw new Error(`the model does not answer ${name}`);
    }
  }

  async #inspect(respond: Respond): Promise<void> {
    const of = columns({
      OwnerName: "nvarchar(128)",
      KeyProtection: "nvarchar(2)",
      ExpiresAt: "nvarchar(33)",
      LastBackupAt: "nvarchar(33)",
      ReadGrants: "int",
      WriteGrants: "int",
      MasterKeys: "int",
      OpensByItself: "int",
    });
    const row = [
      "RecoveryAndHardwareCore",
      "MK",
      "2039-10-22T00:00:00",
      this.lastBackupAt === undefined ? null : styled(this.lastBackupAt),
      Number(this.controls.has("RecoveryAndHardwareRead")),
      Number(this.controls.has("RecoveryAndHardwareWrite")),
      Number(this.hasMasterKey),
      Number(this.masterKeyOpen),
    ];
    await result(respond, of, this.hasCertificate ? [row] : []);
  }
}
