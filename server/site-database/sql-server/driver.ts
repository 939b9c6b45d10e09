import type { Connection, ConnectionConfiguration } from "tedious";
import type { Parameter, Statement } from "./statement.ts";

/** What becomes of one request. The listeners must not throw: tedious would take it for a broken stream. */
interface RequestListeners {
  onColumns(names: readonly string[]): void;
  onRow(values: readonly unknown[]): void;
  /** Called once, last. */
  onEnd(error: Error | undefined): void;
}

export interface RunningRequest {
  pause(): void;
  resume(): void;
  /** Sends an attention; `onEnd` comes when the server has acknowledged it, or the connection was given up. */
  cancel(): void;
}

/** One connection to SQL Server: all that the adapter wants of the driver. */
export interface Wire {
  open(): Promise<void>;
  send(statement: Statement, listeners: RequestListeners): RunningRequest;
  close(): void;
}

export interface Driver {
  /** @param onLost called once when the connection has ended, for whatever reason */
  createWire(configuration: ConnectionConfiguration, onLost: (error: Error | undefined) => void): Wire;
}

interface Cell {
  readonly value: unknown;
}

interface NamedColumn {
  readonly colName: string;
}

/**
 * Loads the driver. Not imported at the top: it brings Azure's identity libraries, half a second of start-up that an
 * endpoint with an embedded database would pay for nothing.
 */
export const loadDriver = async (): Promise<Driver> => {
  const { Connection: TdsConnection, Request, TYPES } = await import("tedious");
  const typeOf = { text: TYPES.NVarChar, int: TYPES.Int, bit: TYPES.Bit } as const;

  const add = (request: InstanceType<typeof Request>, name: string, parameter: Parameter): void =>
    request.addParameter(name, typeOf[parameter.type], parameter.value);

  const start = (connection: Connection, statement: Statement, listeners: RequestListeners): RunningRequest => {
    const request = new Request(statement.text, (error) => listeners.onEnd(error ?? undefined));
    request.on("columnMetadata", (columns) =>
      // An array as long as useColumnNames is off.
      listeners.onColumns((columns as readonly NamedColumn[]).map((column) => column.colName)),
    );
    request.on("row", (cells: readonly Cell[]) => listeners.onRow(cells.map((cell) => cell.value)));
    for (const [name, parameter] of Object.entries(statement.parameters)) add(request, name, parameter);
    switch (statement.kind) {
      case "query":
        connection.execSql(request);
        break;
      case "batch":
        connection.execSqlBatch(request);
        break;
      case "procedure":
        connection.callProcedure(request);
        break;
    }
    return {
      pause: () => request.pause(),
      resume: () => request.resume(),
      cancel: () => void connection.cancel(),
    };
  };

  return {
    createWire: (configuration, onLost) => {
      const connection = new TdsConnection(configuration);
      let lastError: Error | undefined;
      // Before anything else: an idle connection's reset without a listener ends the process.
      connection.on("error", (error) => {
        lastError = error;
      });
      connection.on("end", () => onLost(lastError));
      // A refused login's error has no number; the message before it has (18456, 4060, …).
      let refusedBy: number | undefined;
      connection.on("errorMessage", (message: Error & { readonly number?: unknown }) => {
        if (typeof message.number === "number") refusedBy ??= message.number;
      });
      return {
        open: () => {
          const { promise, resolve, reject } = Promise.withResolvers<void>();
          connection.connect((error) => {
            if (error === undefined) resolve();
            else reject(refusedBy === undefined ? error : Object.assign(error, { number: refusedBy }));
          });
          return promise;
        },
        send: (statement, listeners) => start(connection, statement, listeners),
        close: () => connection.close(),
      };
    },
  };
};
