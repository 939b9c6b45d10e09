import * as z from "zod";
import { collection, type Collection } from "../audit/collections.ts";
import { auditEvent, type AuditEvent } from "../audit/event.ts";
import { siteState, type SiteState } from "../audit/site-events.ts";

/** A pruning names each segment that is gone by then: 500 GiB of them fit, and so does an import of ten thousand files. */
const maximumMessageBytes = 8 * 1024 * 1024;

/** What a local command may put on the record of the running server. Everything else the server writes itself. */
const openTypes: ReadonlySet<AuditEvent["type"]> = new Set([
  "import-started",
  "import-finished",
  "site-written",
  "site-restore-accepted",
  "certificate-renewal",
  "log-pruned",
  "second-factor",
  "user-added",
  "review",
]);

/** What happens over SSH is written by the server alone. */
const isLocal = (event: AuditEvent): boolean =>
  openTypes.has(event.type) && (event.type !== "review" || event.localUser !== undefined);

/** Whether the record holds, as the running server knows. */
const recordState = z.strictObject({
  /** What is wrong, in words. */
  problems: z.array(z.string()).readonly(),
  /** How many verifications of all of it found nothing since the start. */
  held: z.number().int(),
  /** When the last of these ended. */
  heldAt: z.iso.datetime().optional(),
});

export type RecordState = z.infer<typeof recordState>;

const question = z.enum(["site-state", "record-state", "collection"]);
export type Question = z.infer<typeof question>;

const request = z.union([
  z.strictObject({ append: auditEvent.refine(isLocal, "not an event of a local command") }),
  z.strictObject({ ask: question }),
]);
const answer = z.union([
  /** Sent only after the event is durable, or refused. */
  z.discriminatedUnion("recorded", [
    z.strictObject({ recorded: z.literal(true) }),
    z.strictObject({ recorded: z.literal(false), message: z.string().max(1000) }),
  ]),
  /** Without a state: the record has none. */
  z.strictObject({ siteState: siteState.optional() }),
  z.strictObject({ recordState }),
  /** `null`: the record has none. */
  z.strictObject({ collection: collection.nullable() }),
]);

export type Request = { readonly append: AuditEvent } | { readonly ask: Question };
export type Answer =
  | { readonly recorded: true }
  | { readonly recorded: false; readonly message: string }
  | { readonly siteState?: SiteState | undefined }
  | { readonly recordState: RecordState }
  | { readonly collection: Collection | null };

export const encodeRequest = (message: Request): string => `${JSON.stringify(message)}\n`;
export const encodeAnswer = (message: Answer): string => `${JSON.stringify(message)}\n`;

const decodeJson = (line: Uint8Array): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));

/** Throws on anything but one event of the closed set, or one of the three questions. */
export const decodeRequest = (line: Uint8Array): Request => request.parse(decodeJson(line));
export const decodeAnswer = (line: Uint8Array): Answer => answer.parse(decodeJson(line));

/** Cuts a byte stream into lines. Throws a RangeError on a line longer than any honest peer sends. */
export async function* readMessages(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      const newline = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, newline === -1 ? chunk.length : newline);
      parts.push(part);
      length += part.length;
      if (length > maximumMessageBytes) throw new RangeError(`a message of more than ${maximumMessageBytes} bytes`);
      if (newline === -1) break;
      const line = Buffer.concat(parts);
      parts = [];
      length = 0;
      start = newline + 1;
      yield line;
    }
  }
}
