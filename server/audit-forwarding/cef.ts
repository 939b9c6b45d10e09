import type { RecordedEvent } from "../audit/event.ts";
import { eventCode } from "./event-codes.ts";

/**
 * Control characters but tab have no escape in CEF, and some receivers take U+0085 or U+2028 for the end of a line: they become
 * U+FFFD. The log has the original.
 */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const unfit = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Header fields end at a pipe and have no escape for a newline (CEF, "Character Encoding"). */
export const escapeCefHeader = (text: string): string =>
  text
    .replace(/[\r\n]+/g, " ")
    .replace(unfit, "\ufffd")
    .toWellFormed()
    .replace(/[\\|]/g, "\\$&");

/** Extension values: `\` and `=` are escaped, and a newline is written `\n`. */
export const escapeCefValue = (text: string): string =>
  text.replace(unfit, "\ufffd").toWellFormed().replace(/[\\=]/g, "\\$&").replace(/\r/g, "\\r").replace(/\n/g, "\\n");

/** Fields that CEF has a key for; `Who` and `WhichIP` are PEP's. */
const known: Readonly<Record<string, readonly string[]>> = {
  connectedUser: ["suser", "Who"],
  clientAddress: ["src", "WhichIP"],
  outcome: ["outcome"],
  reason: ["reason"],
};

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const ownKey = (field: string): string => `pep${field.charAt(0).toUpperCase()}${field.slice(1)}`;

/** The event in ArcSight's Common Event Format, version 0: every field of it, those without a key of CEF's as `pep…`. */
export const cefBody = ({ seq, at, uptimeMs, event }: RecordedEvent, version: string, hostName: string): string => {
  const { signatureId, name, cefSeverity } = eventCode(event);
  const header = ["CEF:0", "pep", "pep", version, signatureId, name, String(cefSeverity)]
    .map((field, index) => (index === 0 ? field : escapeCefHeader(field)))
    .join("|");
  const fields = Object.entries(event)
    .filter(([, value]) => value !== undefined)
    .flatMap(([field, value]) => (known[field] ?? [ownKey(field)]).map((key) => [key, text(value)] as const));
  const extension = [
    ["rt", String(Date.parse(at))],
    ["externalId", String(seq)],
    ["dvchost", hostName],
    ["pepUptimeMs", String(uptimeMs)],
    ...fields,
  ].map(([key, value]) => `${key}=${escapeCefValue(value ?? "")}`);
  return `${header}|${extension.join(" ")}`;
};
