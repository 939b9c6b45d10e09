import type { ConnectionAuthentication, ConnectionConfiguration } from "tedious";
import { EndpointError } from "../../errors.ts";
import { openFile } from "../../files/judge.ts";
import { readTrusted } from "../../files/trusted-file.ts";
import type { Authentication, Places, SqlServerConfiguration } from "./configuration.ts";
import { readSecret } from "./secret-file.ts";

const clientOf = (clientId: string | undefined) => (clientId === undefined ? {} : { clientId });

const authenticationOf = async (given: Authentication, places: Places): Promise<ConnectionAuthentication> => {
  switch (given.type) {
    case "default": {
      const password = await readSecret(given.password, places);
      return { type: given.type, options: { userName: given.userName, password } };
    }
    case "ntlm": {
      const password = await readSecret(given.password, places);
      return { type: given.type, options: { userName: given.userName, password, domain: given.domain } };
    }
    case "azure-active-directory-password": {
      const { userName, clientId, tenantId } = given;
      return {
        type: given.type,
        options: { userName, password: await readSecret(given.password, places), clientId, tenantId },
      };
    }
    case "azure-active-directory-access-token":
      return { type: given.type, options: { token: await readSecret(given.token, places) } };
    case "azure-active-directory-service-principal-secret": {
      const { clientId, tenantId } = given;
      return {
        type: given.type,
        options: { clientId, tenantId, clientSecret: await readSecret(given.clientSecret, places) },
      };
    }
    case "azure-active-directory-msi-vm":
    case "azure-active-directory-msi-app-service":
    case "azure-active-directory-default":
      return { type: given.type, options: clientOf(given.clientId) };
  }
};

const readAuthorities = async (path: string): Promise<string> => {
  try {
    const pem = (await readTrusted(path, openFile("list of authorities"))).toString("utf8");
    // An empty list would mean "trust nobody" at best; a file without a certificate is a mistake worth a word of its own.
    if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new Error(`${path} holds no certificate in PEM form`);
    return pem;
  } catch (error) {
    throw new EndpointError("ResourceUnavailable", "The site database is not available.", { cause: error });
  }
};

/** What the driver is told for one connection. Reads the password and the authorities anew each time. */
export const driverSettings = async (
  configuration: SqlServerConfiguration,
  places: Places,
  { readOnlyIntent, cancelTimeoutMs }: { readonly readOnlyIntent: boolean; readonly cancelTimeoutMs: number },
): Promise<ConnectionConfiguration> => {
  const { ca, instanceName, port, serverName } = configuration;
  return {
    server: configuration.server,
    authentication: await authenticationOf(configuration.authentication, places),
    options: {
      appName: "pep",
      database: configuration.database,
      encrypt: configuration.encrypt === "strict" ? "strict" : true,
      // Both written out: a default that changed in the driver must not change this.
      trustServerCertificate: false,
      fallbackToDefaultDb: false,
      cryptoCredentialsDetails: {
        minVersion: "TLSv1.2",
        ...(ca === undefined ? {} : { ca: await readAuthorities(places.resolvePath(ca)) }),
      },
      ...(serverName === undefined ? {} : { serverName }),
      ...(instanceName === undefined ? { port: port ?? 1433 } : { instanceName }),
      readOnlyIntent,
      multiSubnetFailover: configuration.multiSubnetFailover,
      connectTimeout: configuration.connectTimeoutMs,
      // None: it ends with the first packet. The connection's own timers begin before it and go on after.
      requestTimeout: 0,
      cancelTimeout: cancelTimeoutMs,
      // The circuit decides about the next attempt; the driver's own three would make a user wait four times as long.
      maxRetriesOnTransientErrors: 0,
      rowCollectionOnDone: false,
      rowCollectionOnRequestCompletion: false,
      useColumnNames: false,
    },
  };
};
