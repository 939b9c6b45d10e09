import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection, Request } from "tedious";
import type { ConnectionConfiguration, TYPES } from "tedious";
import { afterAll, expect, onTestFinished } from "vitest";
import { makeTestCertificates } from "../harness/tds-server/certificates.ts";
import type { TestCertificates } from "../harness/tds-server/certificates.ts";
import { startTdsServer } from "../harness/tds-server/server.ts";
import type { TdsServer, TdsServerOptions } from "../harness/tds-server/server.ts";

/* tedious as the first client of the test server; freetds.test.ts has the second. */

export type ConnectionOptions = NonNullable<ConnectionConfiguration["options"]>;

/** The three ways of encryption, as the driver calls them. */
export const modes: readonly { readonly mode: string; readonly encryption: ConnectionOptions }[] = [
  { mode: "encrypt true", encryption: { encrypt: true } },
  { mode: "strict", encryption: { encrypt: "strict" } },
  { mode: "strict, TDS 8.0", encryption: { encrypt: "strict", tdsVersion: "8_0" } },
];

/** Certificates for all tests of a file; call it at the top of the file. */
export const certificatesForFile = (): TestCertificates => {
  const directory = mkdtempSync(join(tmpdir(), "pep-tds-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return makeTestCertificates(directory);
};

/** A server for the running test; the test fails when the server met something that it could not read. */
export const startServer = async (
  options: TdsServerOptions,
  { mayHaveProblems = false }: { readonly mayHaveProblems?: boolean } = {},
): Promise<TdsServer> => {
  const server = await startTdsServer(options);
  onTestFinished(async () => {
    await server.close();
    if (!mayHaveProblems) expect(server.problems()).toEqual([]);
  });
  return server;
};

export interface ClientOptions {
  readonly port: number;
  /** PEM of the authority to trust. */
  readonly ca: string;
  /** What to connect to; `localhost` unless given. */
  readonly host?: string;
  readonly options?: ConnectionOptions;
  readonly authentication?: NonNullable<ConnectionConfiguration["authentication"]>;
}

const password = "Pä'ss;word 1";
const passwordLogin: NonNullable<ConnectionConfiguration["authentication"]> = {
  type: "default",
  options: { userName: "pep_reader", password },
};

/** A connection not yet opened, closed when the test finishes, with the listener that keeps a lost one from ending us. */
export const newConnection = ({ port, ca, host, options, authentication }: ClientOptions): Connection => {
  const connection = new Connection({
    server: host ?? "localhost",
    authentication: authentication ?? passwordLogin,
    options: {
      port,
      database: "CM_ABC",
      appName: "pep-test",
      cryptoCredentialsDetails: { ca },
      connectTimeout: 10_000,
      requestTimeout: 10_000,
      ...options,
    },
  });
  connection.on("error", () => undefined);
  onTestFinished(() => connection.close());
  return connection;
};

export const open = async (connection: Connection): Promise<Connection> => {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  connection.connect((error) => (error === undefined ? resolve(connection) : reject(error)));
  return promise;
};

export const connect = (options: ClientOptions): Promise<Connection> => open(newConnection(options));

/** The error that a connection attempt ends with. */
export const connectError = async (options: ClientOptions): Promise<Error> => {
  try {
    await connect(options);
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("connected");
};

/** Codes, messages and numbers of an error and everything inside it. */
export const tracesOf = (error: unknown): readonly unknown[] => {
  if (!(error instanceof Error)) return [];
  const { code, number } = error as { code?: unknown; number?: unknown };
  const inside = error instanceof AggregateError ? error.errors.flatMap(tracesOf) : [];
  return [code, number, error.message, ...inside, ...tracesOf(error.cause)].filter((trace) => trace !== undefined);
};

export interface Answer {
  readonly columns: readonly (readonly string[])[];
  readonly rows: readonly (readonly unknown[])[];
  readonly returned: Readonly<Record<string, unknown>>;
  readonly returnStatus: number | undefined;
  readonly error: Error | undefined;
  readonly rowCount: number | undefined;
}

type DataType = (typeof TYPES)[keyof typeof TYPES];
export interface ClientParameter {
  readonly name: string;
  readonly type: DataType;
  readonly value: unknown;
  readonly output?: true;
  readonly options?: { readonly length?: number; readonly scale?: number };
}

export interface RunningRequest {
  readonly request: Request;
  readonly rows: readonly (readonly unknown[])[];
  /** Never rejects: an answer may be rows and an error. */
  readonly answer: Promise<Answer>;
}

export type SendKind = "execSql" | "execSqlBatch" | "callProcedure";

/** Makes a request whose rows are kept, but for `keepRows: false`. */
export const newRequest = (
  text: string,
  parameters: readonly ClientParameter[] = [],
  { keepRows = true, onRow }: { readonly keepRows?: boolean; readonly onRow?: () => void } = {},
): RunningRequest => {
  const columns: string[][] = [];
  const rows: unknown[][] = [];
  const returned: Record<string, unknown> = {};
  let returnStatus: number | undefined;
  const { promise: answer, resolve } = Promise.withResolvers<Answer>();
  const request = new Request(text, (error, rowCount) =>
    resolve({ columns, rows, returned, returnStatus, error: error ?? undefined, rowCount }),
  );
  for (const { name, type, value, output, options } of parameters)
    if (output === true) request.addOutputParameter(name, type, value, options);
    else request.addParameter(name, type, value, options);
  request.on("columnMetadata", (found) =>
    // An array as long as useColumnNames is off.
    columns.push((found as { colName: string }[]).map(({ colName }) => colName)),
  );
  request.on("row", (cells: { value: unknown }[]) => {
    if (keepRows) rows.push(cells.map(({ value }) => value));
    onRow?.();
  });
  request.on("returnValue", (name, value) => {
    returned[name] = value;
  });
  request.on("doneProc", (_count, _more, status) => {
    returnStatus = status;
  });
  return { request, rows, answer };
};

/** Sends a request and waits for its end. */
export const ask = (
  connection: Connection,
  text: string,
  parameters: readonly ClientParameter[] = [],
  kind: SendKind = "execSql",
): Promise<Answer> => {
  const { request, answer } = newRequest(text, parameters);
  connection[kind](request);
  return answer;
};

export const userName = "pep_reader";
export const userPassword = password;
