import { createHash } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { EndpointError } from "../errors.ts";
import { ownFile } from "../files/judge.ts";
import { openFresh, writeNewFile } from "../files/new-file.ts";
import { renameDurably, synchronizeDirectory } from "../files/replace-file.ts";
import { readTrustedSync, UntrustedFile } from "../files/trusted-file.ts";
import { elevationStates } from "../command/elevation-port.ts";

const certificate = z.strictObject({ authority: z.string(), keyId: z.string() });

const storedRequest = z.strictObject({
  requestId: z.string(),
  requester: z.string(),
  keyFingerprint: z.string(),
  certificate: certificate.optional(),
  command: z.string(),
  invocation: z.string(),
  digest: z.string(),
  reason: z.string().optional(),
  /** Of requests that were made before rows were counted after the request. */
  ceiling: z.number().int().optional(),
  /** Its rows must be counted before it can be approved. */
  counts: z.literal(true).optional(),
  requestedAtMs: z.number(),
});

const storedLine = z.strictObject({
  /** SHA-256 of the line before it, so that a line can't be taken out of the middle or changed. */
  previous: z.string(),
  requestId: z.string(),
  state: z.enum(elevationStates),
  expiresAtMs: z.number(),
  request: storedRequest.optional(),
  decidedBy: z.string().optional(),
  decidedWith: z.strictObject({ keyFingerprint: z.string(), certificate: certificate.optional() }).optional(),
  comment: z.string().optional(),
  counted: z.strictObject({ ceiling: z.number().int().optional(), finding: z.string().optional() }).optional(),
});

export type StoredRequest = z.infer<typeof storedRequest>;
export type StoredChange = Omit<z.infer<typeof storedLine>, "previous">;

export interface ElevationStore {
  /** Every change there was, in order. */
  readonly changes: readonly StoredChange[];
  /** Resolves when it is durable. One at a time. @throws EndpointError AuditUnavailable */
  append(change: StoredChange): Promise<void>;
  /** How many lines the file has. */
  readonly lines: number;
  /**
   * Puts these in the place of every change there was. Whatever stops it, a crash too, the file is the old one or the new
   * one, whole; resolves when it is durably the new one.
   * @throws EndpointError AuditUnavailable
   */
  compact(changes: readonly StoredChange[]): Promise<void>;
  close(): Promise<void>;
}

const mostBytes = 64 * 1024 * 1024;
const beginning = "0".repeat(64);

const digestOf = (line: string): string => createHash("sha256").update(line).digest("hex");

const damaged = (path: string, what: string): EndpointError =>
  new EndpointError(
    "InvalidArgument",
    `${path} ${what}, so nobody can tell which approvals were used. Move it away to start without any; the log has them all.`,
  );

const readAll = (path: string): string => {
  writeNewFile(path, "", 0o600);
  try {
    return readTrustedSync(path, ownFile("file of approvals", mostBytes)).toString("utf8");
  } catch (error) {
    throw error instanceof UntrustedFile ? damaged(path, `can't be trusted: ${error.why}`) : error;
  }
};

const decode = (path: string, text: string): { readonly changes: StoredChange[]; readonly last: string } => {
  const changes: StoredChange[] = [];
  let last = beginning;
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    let raw: unknown;
    try {
      raw = JSON.parse(line);
    } catch {
      throw damaged(path, `can't be read at line ${index + 1}`);
    }
    const decoded = storedLine.safeParse(raw);
    if (!decoded.success || decoded.data.previous !== last) throw damaged(path, `was changed at line ${index + 1}`);
    const { previous: _, ...change } = decoded.data;
    changes.push(change);
    last = digestOf(line);
  }
  return { changes, last };
};

/** Writes a whole new file, durable, under another name. What a crash left there is nobody's. */
const writeBeside = async (
  path: string,
  changes: readonly StoredChange[],
  synchronize: (file: FileHandle) => Promise<void>,
) => {
  const beside = `${path}.new`;
  let last = beginning;
  let text = "";
  for (const change of changes) {
    const line = JSON.stringify({ previous: last, ...change });
    last = digestOf(line);
    text += `${line}\n`;
  }
  const file = await openFresh(beside).catch((error: unknown) => {
    throw unavailable(error);
  });
  try {
    await file.writeFile(text);
    await synchronize(file);
  } catch (error) {
    await file.close();
    await rm(beside, { force: true });
    throw unavailable(error);
  }
  return { path: beside, file, bytes: Buffer.byteLength(text), last };
};

/**
 * Opens the append-only file of requests and what became of them. A torn last line is cut off: it was never
 * acknowledged. Anything else that is wrong with the file is an error, never a fresh start: a forgotten `consumed` would
 * let an approval be used twice.
 *
 * @throws EndpointError InvalidArgument
 */
export const openElevationStore = async (
  path: string,
  synchronize: (file: FileHandle) => Promise<void> = (file) => file.datasync(),
): Promise<ElevationStore> => {
  const text = readAll(path);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const decoded = decode(path, whole);
  let file = await open(path, "r+");
  let bytes = Buffer.byteLength(whole);
  let { last } = decoded;
  let lines = decoded.changes.length;
  let broken = false;
  if (whole !== text) await file.truncate(bytes);
  await file.sync();
  await synchronizeDirectory(dirname(path));
  return {
    changes: decoded.changes,
    async append(change) {
      // After a failed write nobody knows what the disk holds; the next start reads what is there.
      if (broken) throw unavailable(new Error("an earlier write failed"));
      const line = JSON.stringify({ previous: last, ...change });
      try {
        const buffer = Buffer.from(`${line}\n`);
        await file.write(buffer, 0, buffer.length, bytes);
        await synchronize(file);
        bytes += buffer.length;
        last = digestOf(line);
        lines += 1;
      } catch (error) {
        broken = true;
        throw unavailable(error);
      }
    },
    get lines() {
      return lines;
    },
    async compact(changes) {
      if (broken) throw unavailable(new Error("an earlier write failed"));
      const written = await writeBeside(path, changes, synchronize);
      try {
        // Durably: a power failure could bring the old file back, without what is appended from here on.
        await renameDurably(written.path, path);
        await file.close();
      } catch (error) {
        broken = true;
        await written.file.close();
        throw unavailable(error);
      }
      ({ file, bytes, last } = written);
      lines = changes.length;
    },
    close: () => file.close(),
  };
};

const unavailable = (cause: unknown): EndpointError =>
  new EndpointError("AuditUnavailable", "The approval could not be recorded, so nothing was done.", { cause });
