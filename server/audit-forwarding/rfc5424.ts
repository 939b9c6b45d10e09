/** Facility 13, log audit (RFC 5424 §6.2.1). */
const logAudit = 13;

/** RFC 5424 §6.2.1; the words are those of its table. */
const severities = { critical: 2, error: 3, warning: 4, notice: 5, informational: 6 } as const;
export type Severity = keyof typeof severities;

export interface Header {
  readonly severity: Severity;
  /** Of the event, as the log has it: RFC 3339, UTC. */
  readonly at: string;
  readonly hostName: string;
  readonly processId: number;
  /** The event's type. */
  readonly messageId: string;
}

/** PRINTUSASCII without a space, of a length; NILVALUE for nothing (§6). */
const printable = (text: string, longest: number): string => {
  const kept = text.replace(/[^!-~]/g, "").slice(0, longest);
  return kept === "" ? "-" : kept;
};

/** PARAM-VALUE: `"`, `\` and `]` are escaped and nothing else is (§6.3.3). */
export const escapeParamValue = (value: string): string => value.replace(/["\\\]]/g, "\\$&");

/** One SD-ELEMENT; names are ours, values anybody's. */
export const structuredData = (id: string, params: Readonly<Record<string, string>>): string =>
  `[${id}${Object.entries(params)
    .map(([name, value]) => ` ${name}="${escapeParamValue(value)}"`)
    .join("")}]`;

/**
 * One syslog message. Without the byte order mark that §6.4 has before UTF-8: CEF and JSON readers take the message's first
 * byte for theirs and rsyslog hands the mark on; without it the message is MSG-ANY, which may be UTF-8 as well.
 */
export const syslogMessage = (header: Header, structured: string, body: string): string =>
  `<${logAudit * 8 + severities[header.severity]}>1 ${header.at} ${printable(header.hostName, 255)} pep ` +
  `${header.processId} ${printable(header.messageId, 32)} ${structured} ${body}`;

/** Octet counting (RFC 5425 §4.3): a newline in a message can't end it. */
export const octetCounted = (message: string): Buffer => {
  const bytes = Buffer.from(message);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
};
