import { closedKeysPage } from "./certificate-statements.ts";
import { decodeNumber } from "./columns.ts";
import { shapeForReading } from "./introspection.ts";
import type { SiteConnections } from "./site-connections.ts";

/** Recovery keys by whether the certificate that is there opens them. */
export interface KeysTried {
  readonly tried: number;
  readonly closed: number;
  /** The id of the first closed one. */
  readonly firstClosed?: string;
  /** Absent where every key was tried. */
  readonly stoppedAt?: "the time for it was over";
}

/** A private RSA operation a key: some seconds on one processor of the server, and far within a statement's time. */
const pageRows = 2000;

/**
 * Tries keys in the order of their ids, a page at a time.
 *
 * @param withinMs no further page is begun after that; Infinity for every key
 */
export const countClosedKeys = async (
  connections: SiteConnections,
  withinMs: number,
  signal: AbortSignal,
): Promise<KeysTried> => {
  const until = performance.now() + withinMs;
  let tried = 0;
  let closed = 0;
  let firstClosed: string | undefined;
  for (let after: string | undefined; ;) {
    const from = after;
    const row = await connections.read(signal, ({ connection }, site) =>
      connection.firstRow(closedKeysPage(shapeForReading(site), { afterKeyId: from, pageRows }), { signal }),
    );
    const looked = decodeNumber(row[0], "Tried");
    tried += looked;
    closed += decodeNumber(row[1], "Closed");
    if (typeof row[2] === "string") firstClosed ??= row[2];
    const last = row[3];
    const isOver = looked < pageRows || typeof last !== "string";
    if (isOver || performance.now() >= until)
      return {
        tried,
        closed,
        ...(firstClosed === undefined ? {} : { firstClosed }),
        ...(isOver ? {} : { stoppedAt: "the time for it was over" }),
      };
    after = last;
  }
};
