import type { RecordedEvent } from "../audit/event.ts";
import { cefBody } from "./cef.ts";
import { eventCode } from "./event-codes.ts";
import { partsOf } from "./parts.ts";
import { octetCounted, structuredData, syslogMessage } from "./rfc5424.ts";

/** What a receiver should take (RFC 5425 §4.3.1); it must take only 2,048, but such a one can't be told from others. */
export const longestMessage = 8192;

export interface MessageOptions {
  readonly format: "cef" | "json";
  readonly enterpriseId: number;
  readonly hostName: string;
  readonly processId: number;
  readonly version: string;
}

/** JSON leaves DEL, the C1 controls and U+2028/9 as they are; a terminal or a log reader may act on them. */
const jsonBody = (recorded: RecordedEvent): string =>
  JSON.stringify(recorded).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/**
 * The octet-counted messages of one event; nearly always one.
 *
 * @param log name of the log: with `seq` and `part` it tells a message that is sent again
 */
export const messagesOf = (recorded: RecordedEvent, log: string, options: MessageOptions): readonly Buffer[] => {
  const write = (part: RecordedEvent, more: Readonly<Record<string, string>>): string =>
    syslogMessage(
      {
        severity: eventCode(part.event).severity,
        at: part.at,
        hostName: options.hostName,
        processId: options.processId,
        messageId: part.event.type,
      },
      structuredData(`pep@${options.enterpriseId}`, { seq: String(part.seq), log, ...more }),
      options.format === "json" ? jsonBody(part) : cefBody(part, options.version, options.hostName),
    );
  const whole = write(recorded, {});
  if (Buffer.byteLength(whole) <= longestMessage) return [octetCounted(whole)];
  const widest = { part: "9999999", parts: "9999999", cut: "1" };
  const parts = partsOf(
    recorded.event,
    (event) => Buffer.byteLength(write({ ...recorded, event }, widest)) <= longestMessage,
  );
  return parts.map(({ event, cut }, index) =>
    octetCounted(
      write(
        { ...recorded, event },
        { part: String(index + 1), parts: String(parts.length), ...(cut ? { cut: "1" } : {}) },
      ),
    ),
  );
};
