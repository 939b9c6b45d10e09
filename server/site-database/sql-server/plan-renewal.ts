import { plural } from "../../model/plural.ts";
import { thumbprintOf } from "../key-files.ts";
import { findOldCertificate, readCertificate } from "./certificate-statements.ts";
import { decodeBytes, decodeNumber } from "./columns.ts";
import { countClosedKeys } from "./count-closed-keys.ts";
import type { KeysTried } from "./count-closed-keys.ts";
import type { SqlServerSiteDatabase } from "./database.ts";
import { introspectParameters } from "./introspection-statements.ts";
import { identifiers } from "./quoting.ts";

/*
 * A rotation of the certificate, as Microsoft documents it ("Manage the encryption certificate on SQL Server upgrade"; also for a regular
 * renewal). Nothing of it is sent from here. Configuration Manager finds the certificate by its name, SQL Server has no statement that
 * renames one, and what RecryptKey takes is not public: a guess at one of them would cost every key of the site.
 */

interface RenewalOnServer {
  readonly databaseName: string;
  readonly thumbprint: string | undefined;
  /** An old one is there beside it. */
  readonly hasOld: boolean;
  readonly keys: KeysTried;
  /** `@name type` of RecryptKey, as this site has it; none where the login may not see it. */
  readonly recryptParameters: readonly string[];
}

const recrypt = "RecryptKey";

/** Looks at the site. Changes nothing. */
export const findRenewalOnServer = async (
  { connections: { writes } }: Pick<SqlServerSiteDatabase, "connections">,
  databaseName: string,
  signal: AbortSignal,
): Promise<RenewalOnServer> => {
  const looked = await writes.read(signal, async ({ connection }) => {
    const present = decodeBytes((await connection.firstRow(readCertificate(), { signal }))[0]);
    const [old] = await connection.firstRow(findOldCertificate(), { signal });
    const parameters = await connection.rows(introspectParameters(), { signal });
    return {
      databaseName,
      thumbprint: present && thumbprintOf(present),
      hasOld: decodeNumber(old, "OldCertificates") > 0,
      recryptParameters: parameters
        .filter(([schema, name]) => schema === identifiers.owner && name === recrypt)
        .map(([, , parameter, type]) => `${String(parameter)} ${String(type)}`),
    };
  });
  return { ...looked, keys: await countClosedKeys(writes, Number.POSITIVE_INFINITY, signal) };
};

const { certificate, oldCertificate, owner, reader, writer } = identifiers;

const grants = `GRANT CONTROL ON CERTIFICATE::${certificate} TO ${reader};
   GRANT CONTROL ON CERTIFICATE::${certificate} TO ${writer};`;

const rotation = (name: string): string => `
1. On an instance of the latest SQL Server that you have, make a new certificate and back it up: create-cert and backup-cert of another pep, or Microsoft's scripts.

2. Back up the old certificate (backup-cert), and the database ${name}. Try both backups elsewhere. Without them, do not go on.

3. The old certificate gets another name. No statement renames it, so it is dropped and restored, in one transaction:

   USE ${name};
   SET XACT_ABORT ON;
   BEGIN TRANSACTION;
   DROP CERTIFICATE ${certificate};
   CREATE CERTIFICATE ${oldCertificate} AUTHORIZATION ${owner}
     FROM FILE = '<old certificate>'
     WITH PRIVATE KEY (FILE = '<old key>', DECRYPTION BY PASSWORD = '<its password>');

4. In the same transaction, the new certificate gets the name that Configuration Manager looks for:

   CREATE CERTIFICATE ${certificate} AUTHORIZATION ${owner}
     FROM FILE = '<new certificate>'
     WITH PRIVATE KEY (FILE = '<new key>', DECRYPTION BY PASSWORD = '<its password>');
   ${grants}
   COMMIT TRANSACTION;

5. Move the keys with Microsoft's own function, ${owner}.${recrypt}. Its use is not public. Ask Microsoft's support for it.

6. Count again: pep renew-cert --dry-run. Only when every key opens, and backup-cert has backed up the new certificate, drop the old one:

   DROP CERTIFICATE ${oldCertificate};
   SQL Server does not know which keys need it, and does not refuse.
`;

const keysInWords = ({ tried, closed, firstClosed }: KeysTried): string =>
  closed === 0
    ? `All ${plural(tried, "recovery key")} can be opened with it.`
    : `${closed} of ${plural(tried, "recovery key")} can't be opened with it${firstClosed === undefined ? "" : `; the first is ${firstClosed}`}.`;

const nextInWords = ({ thumbprint, hasOld, keys: { closed } }: RenewalOnServer): string => {
  if (thumbprint === undefined) return `Next: there is no ${certificate}, or the login may not see it. Run pep doctor.`;
  if (hasOld)
    return closed > 0
      ? "Next: step 5, for the keys that do not open."
      : "Next: step 6, after a backup of the new certificate.";
  return closed > 0
    ? "Next: none of the steps. Keys that do not open now are lost by a rotation: find the certificate that encrypted them first."
    : "Next: step 1.";
};

/** The steps, and which of them is next, for the administrator of SQL Server. */
export const renewalOnServerInWords = (found: RenewalOnServer): string => {
  const parameters =
    found.recryptParameters.length === 0 ? "none that this login may see" : found.recryptParameters.join(", ");
  return [
    `${certificate} is ${found.thumbprint ?? "not there"}${found.hasOld ? `, and ${oldCertificate} is there beside it` : ""}. ${keysInWords(found.keys)}`,
    `Parameters of ${owner}.${recrypt} here: ${parameters}.`,
    nextInWords(found),
    rotation(found.databaseName),
  ].join("\n");
};
