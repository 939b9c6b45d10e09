import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto";
import { Secret } from "../secret.ts";
import type { VolumeType } from "../command/site-database.ts";
import type { RecoveryRecord, SiteRecord } from "../site-database/recovery-record.ts";

/** A well-formed recovery password: eight groups, each a 16-bit number times 11 (Win32_EncryptableVolume). */
const newRecoveryPassword = (): string =>
  Array.from({ length: 8 }, () => String(randomInt(65_536) * 11).padStart(6, "0")).join("-");

const dayMs = 24 * 60 * 60 * 1000;

/** About what Windows makes. A demo's are chance: they repair nothing. */
const packageBytes = 700;

const newKey = (computerName: string, volumeId: string, volumeType: VolumeType, at: Date): RecoveryRecord => {
  const keyId = randomUUID().toUpperCase();
  return {
    line: 1,
    computerName,
    volumeId,
    volumeType,
    lastUpdateTime: at.toISOString(),
    recoveryPackage: randomBytes(packageBytes),
    protector: {
      kind: "NumericalPassword",
      keyId,
      recoveryPassword: new Secret(newRecoveryPassword(), { keyId, computerName }),
    },
  };
};

/** What else opens a volume: a file on a stick, and a certificate of the company's. */
const otherProtectors = (computerName: string, volumeId: string, at: Date): readonly RecoveryRecord[] => {
  const common = {
    line: 1,
    computerName,
    volumeId,
    volumeType: "OperatingSystem",
    lastUpdateTime: at.toISOString(),
  } as const;
  const keyId = randomUUID().toUpperCase();
  return [
    { ...common, protector: { kind: "ExternalKey", keyId, fileName: `${keyId}.BEK`, category: "Recovery" } },
    {
      ...common,
      protector: {
        kind: "DataRecoveryAgent",
        keyId: randomUUID().toUpperCase(),
        certificateThumbprint: randomBytes(20).toString("hex"),
      },
    },
  ];
};

/**
 * The demo's site: made-up computers, real in form, so that every command has something to show. Forty computers with a
 * system volume, every third with a data volume, every fifth with an older, rotated key, the first with other protectors. Keys are new for
 * each demo.
 */
export async function* demoRecords(now: Date): AsyncGenerator<SiteRecord> {
  for (let number = 1; number <= 40; number += 1) {
    const computerName = `DEMO-PC-${String(number).padStart(2, "0")}`;
    // Ages that don't depend on chance: the newest computers were set up last.
    const age = createHash("sha256").update(computerName).digest().readUInt16BE(0) % 400;
    const at = new Date(now.getTime() - (age + 1) * dayMs);
    const system = randomUUID().toUpperCase();
    yield newKey(computerName, system, "OperatingSystem", at);
    // A computer that had an earlier Windows.
    if (number === 1)
      yield {
        line: 1,
        computerName,
        tpmPasswordHash: new Secret(randomBytes(20).toString("base64")),
        lastUpdateTime: at.toISOString(),
      };
    if (number === 1) yield* otherProtectors(computerName, system, at);
    if (number % 5 === 0) {
      yield newKey(computerName, system, "OperatingSystem", new Date(at.getTime() - 200 * dayMs));
    }
    if (number % 3 === 0) yield newKey(computerName, randomUUID().toUpperCase(), "FixedData", at);
    if (number % 10 === 0) yield newKey(computerName, randomUUID().toUpperCase(), "Removable", at);
  }
}
