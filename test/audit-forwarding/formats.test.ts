import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEvent, RecordedEvent } from "../../server/audit/event.ts";
import { cefBody, escapeCefHeader, escapeCefValue } from "../../server/audit-forwarding/cef.ts";
import { eventCode } from "../../server/audit-forwarding/event-codes.ts";
import { longestMessage, messagesOf, type MessageOptions } from "../../server/audit-forwarding/message.ts";
import {
  escapeParamValue,
  octetCounted,
  structuredData,
  syslogMessage,
} from "../../server/audit-forwarding/rfc5424.ts";

const options: MessageOptions = {
  format: "json",
  enterpriseId: 32_473,
  hostName: "pep-1",
  processId: 7,
  version: "0.1.0",
};
const log = "pep-audit/0123456789abcdef";

const recorded = (event: AuditEvent, seq = 5): RecordedEvent => ({
  seq,
  at: "2026-11-22T04:00:00.123Z",
  uptimeMs: 1.5,
  event,
});

/** Undoes octet counting; throws where a count is wrong. */
const framesOf = (bytes: Buffer): string[] => {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.toString("latin1", at, space));
    expect(length).toBeGreaterThan(0);
    frames.push(bytes.toString("utf8", space + 1, space + 1 + length));
    at = space + 1 + length;
  }
  return frames;
};

/** A reader of RFC 5424's grammar, as a receiver has one. */
const parse = (message: string) => {
  const header = /^<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /.exec(message);
  if (header === null) throw new Error(`no header: ${message.slice(0, 100)}`);
  const rest = message.slice(header[0].length);
  const element = /^\[([!-~]+?)((?: [!-~]+?="(?:[^"\\\]]|\\["\\\]])*")*)\] /.exec(rest);
  if (element === null) throw new Error(`no structured data: ${rest.slice(0, 100)}`);
  const params = Object.fromEntries(
    [...(element[2] ?? "").matchAll(/ ([^=\s]+)="((?:[^"\\\]]|\\["\\\]])*)"/g)].map(([, name = "", value = ""]) => [
      name,
      value.replace(/\\(["\\\]])/g, "$1"),
    ]),
  );
  return { pri: Number(header[1]), id: element[1], params, body: rest.slice(element[0].length) };
};

/** A reader of CEF: header fields, then the extension's keys and values. */
const parseCef = (body: string) => {
  const fields = /^CEF:0\|((?:[^|\\\r\n]|\\[\\|])*\|){6}/.exec(body)?.[0] ?? "";
  const header = fields.split(/(?<!(?<!\\)(?:\\\\)*\\)\|/).slice(1, -1);
  const extension = body.slice(fields.length);
  const starts = [...extension.matchAll(/(?:^| )([A-Za-z][A-Za-z0-9]*)=/g)];
  const values = starts.map(({ index, 0: start, 1: key = "" }, at) => {
    const raw = extension.slice(index + start.length, starts[at + 1]?.index);
    return [key, raw.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c === "r" ? "\r" : c))] as const;
  });
  return { header: header.map((field) => field.replace(/\\([\\|])/g, "$1")), values: Object.fromEntries(values) };
};

const anyText = fc.string({ unit: "binary", maxLength: 60 });
const hostile = fc.oneof(
  anyText,
  fc.constantFrom(
    "\n<134>1 - forged",
    'x"] [y z="',
    "a=b|c\\",
    "\\",
    "\\n",
    "suser=root",
    "\u2028x",
    "\u0000\u001b[2J",
  ),
);

test("a parameter's value comes back as it was, whatever is in it", () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const message = syslogMessage(
        { severity: "informational", at: "2026-11-22T04:00:00Z", hostName: "h", processId: 1, messageId: "m" },
        structuredData("pep@1", { value, after: "1" }),
        "body",
      );
      expect(parse(message)).toMatchObject({ id: "pep@1", params: { value, after: "1" }, body: "body" });
    }),
  );
  expect(escapeParamValue('a"b\\c]d')).toBe('a\\"b\\\\c\\]d');
});

test("octet counts are of bytes, and a newline or a forged header ends nothing", () => {
  fc.assert(
    fc.property(
      fc.array(
        hostile.filter((text) => text !== ""),
        { minLength: 1, maxLength: 5 },
      ),
      (messages) => {
        const wellFormed = messages.map((message) => message.toWellFormed());
        expect(framesOf(Buffer.concat(messages.map(octetCounted)))).toEqual(wellFormed);
      },
    ),
  );
});

test("a header field that is no printable ASCII, or empty, or long can't break the header", () => {
  fc.assert(
    fc.property(hostile, (hostName) => {
      const message = syslogMessage(
        { severity: "error", at: "2026-11-22T04:00:00Z", hostName, processId: 1, messageId: "x".repeat(99) },
        structuredData("pep@1", {}),
        "body",
      );
      expect(parse(message)).toMatchObject({ pri: 107, body: "body" });
    }),
  );
});

/** What CEF can't carry is U+FFFD there. */
const asInCef = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd").toWellFormed();

test("CEF's fields come back as they were, and nobody's text makes a field of its own", () => {
  fc.assert(
    fc.property(hostile, hostile, (reason, computerName) => {
      const event: AuditEvent = {
        type: "disclosure",
        connectedUser: "support",
        clientAddress: "192.0.2.1",
        invocationId: "I-1",
        command: "Get-RecoveryKeys",
        how: "exec",
        reason,
        keys: [{ keyId: "K", computerName }],
      };
      const body = cefBody(recorded(event), "0.1.0", "pep-1");
      expect(body).not.toMatch(/[\r\n\u2028]/);
      // A key is a word after a space and before an unescaped equals sign; every one in a value is escaped.
      const keys = [...body.matchAll(/(?<= |\|)([A-Za-z][A-Za-z0-9]*)=/g)].map(([, key]) => key);
      expect(keys).toEqual([
        "rt",
        "externalId",
        "dvchost",
        "pepUptimeMs",
        "pepType",
        "suser",
        "Who",
        "src",
        "WhichIP",
        "pepInvocationId",
        "pepCommand",
        "pepHow",
        "reason",
        "pepKeys",
      ]);
      const { header, values } = parseCef(body);
      expect(header).toEqual(["pep", "pep", "0.1.0", "pep: disclosure", "RecoveryKeysDisclosed", "5"]);
      expect(values).toMatchObject({
        suser: "support",
        WhichIP: "192.0.2.1",
        externalId: "5",
        reason: asInCef(reason),
      });
      expect(values["pepKeys"]).toBe(asInCef(JSON.stringify([{ keyId: "K", computerName }])));
    }),
  );
  expect(escapeCefHeader("a|b\\c\nd")).toBe("a\\|b\\\\c d");
  expect(escapeCefValue("a=b\\c\r\nd")).toBe("a\\=b\\\\c\\r\\nd");
});

const keys = Array.from({ length: 1024 }, (_, index) => ({
  keyId: `3A78B34B-907A-4BFD-ACAA-${String(index).padStart(12, "0")}`,
  computerName: `PC-${index}.very-long-department-name.example.com`,
}));
const disclosure = (some: typeof keys, reason = "Lost PIN"): AuditEvent => ({
  type: "disclosure",
  connectedUser: "exporter",
  invocationId: "I-1",
  command: "Get-RecoveryKeys",
  how: "exec",
  reason,
  keys: some,
});

for (const format of ["json", "cef"] as const) {
  test(`a disclosure of 1,024 keys goes out in numbered parts, each whole and short enough, none left out (${format})`, () => {
    const messages = messagesOf(recorded(disclosure(keys)), log, { ...options, format });
    const parsed = framesOf(Buffer.concat(messages)).map(parse);
    expect(messages.every((message) => message.length <= longestMessage + 5)).toBe(true);
    expect(parsed.length).toBeGreaterThan(5);
    expect(parsed.map(({ params }) => params["part"])).toEqual(parsed.map((_, index) => String(index + 1)));
    expect(new Set(parsed.map(({ params }) => `${params["seq"]} of ${params["parts"]} ${params["cut"]}`))).toEqual(
      new Set([`5 of ${parsed.length} undefined`]),
    );
    const there = parsed.flatMap(({ body }) => {
      const fields =
        format === "json" ? JSON.parse(body).event.keys : JSON.parse(parseCef(body).values["pepKeys"] ?? "");
      return fields;
    });
    expect(there).toEqual(keys);
  });

  test(`a text that is too long by itself is cut, and says so (${format})`, () => {
    const long = "ü=\n".repeat(20_000);
    const messages = messagesOf(recorded(disclosure(keys.slice(0, 1), long)), log, { ...options, format });
    expect(messages).toHaveLength(1);
    const [frame = ""] = framesOf(Buffer.concat(messages));
    const { params, body } = parse(frame);
    expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(longestMessage);
    expect(params).toMatchObject({ seq: "5", part: "1", parts: "1", cut: "1" });
    expect(body).toContain("…[cut]");
    expect(body).toContain(keys[0]?.keyId ?? "");
  });
}

test("every message of any event fits, whatever it holds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ keyId: hostile, computerName: fc.string({ unit: "binary", maxLength: 4000 }) }), {
        maxLength: 20,
      }),
      fc.constantFrom("json" as const, "cef" as const),
      (some, format) => {
        const frames = framesOf(Buffer.concat(messagesOf(recorded(disclosure(some)), log, { ...options, format })));
        for (const frame of frames) {
          expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(longestMessage);
          expect(parse(frame).params["seq"]).toBe("5");
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("an event that PEP has goes by PEP's id", () => {
  const session = { connectedUser: "support", sessionId: "S-1" };
  const elevation = {
    type: "elevation",
    requestId: "E-1",
    requester: "a",
    requesterKey: "k",
    command: "c",
    invocation: "i",
    invocationDigest: "d",
    expiresAt: "t",
  } as const;
  const events: readonly AuditEvent[] = [
    { type: "session-started", ...session, mode: "exec" },
    { type: "session-ended", ...session, exitStatus: 0, reason: "exit" },
    { type: "session-ended", ...session, exitStatus: 0, reason: "idle" },
    { type: "session-ended", ...session, exitStatus: 0, reason: "longest-session" },
    ...(["requested", "estimated", "approved", "denied", "expired", "consumed"] as const).map((state) => ({
      ...elevation,
      state,
    })),
    disclosure([]),
    { type: "authentication", outcome: "refused", method: "publickey" },
    { type: "configuration-refused", what: "roles", problem: "x" },
    { type: "connection-opened", clientSoftware: "x" },
    { type: "forwarding", state: "lagging", receiver: "siem.example.com:6514", behind: 20_000 },
  ];
  const shown = events.map((event) => {
    const { signatureId, name, cefSeverity, severity } = eventCode(event);
    return `${signatureId} | ${name} | ${cefSeverity} | ${severity}`;
  });
  const pep = "Microsoft-AzureStack-PrivilegedEndpoint";
  expect(shown).toEqual([
    `${pep}: 1000 | PrivilegedEndpointAccessed | 5 | warning`,
    `${pep}: 1005 | PrivilegedEndpointClosed | 5 | warning`,
    `${pep}: 1017 | PrivilegedEndpointSessionTimedOut | 5 | warning`,
    `${pep}: 1017 | PrivilegedEndpointSessionTimedOut | 5 | warning`,
    `${pep}: 1001 | SupportSessionTokenRequested | 5 | warning`,
    "pep: elevation | ElevationEstimated | 2 | informational",
    "pep: elevation | ElevationApproved | 5 | warning",
    `${pep}: 1004 | SupportSessionFailedToUnlock | 10 | critical`,
    `${pep}: 1004 | SupportSessionFailedToUnlock | 10 | critical`,
    `${pep}: 1003 | SupportSessionUnlocked | 10 | critical`,
    "pep: disclosure | RecoveryKeysDisclosed | 5 | warning",
    "pep: authentication | AuthenticationRefused | 5 | warning",
    "pep: configuration-refused | ConfigurationRefused | 8 | error",
    "pep: connection-opened | ConnectionOpened | 2 | informational",
    "pep: forwarding | ForwardingLagging | 5 | warning",
  ]);
});
