import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { onTestFinished } from "vitest";
import type { CommandContext, CommandDescription, CommandResult, Row } from "../../../server/command/define-command.ts";
import type { OpenTranscript } from "../../../server/audit/contract.ts";
import type { AuditEvent } from "../../../server/audit/event.ts";
import { transcriptPort } from "../../../server/audit-review/open-transcript.ts";
import { transcriptsIn } from "../../../server/audit/transcript.ts";
import type { VisibleCommands } from "../../../server/authorization/contract.ts";
import { EndpointError, Refusal } from "../../../server/errors.ts";
import { Secret } from "../../../server/secret.ts";
import type { PseudoTerminal, TerminalSize } from "../../../server/session/contract.ts";
import {
  serveInteractive,
  type InteractiveDependencies,
} from "../../../server/session/interactive/serve-interactive.ts";
import { createUiPool, type UiPool, type UiPoolOptions } from "../../../server/session/interactive/ui-pool.ts";
import type { UiProcessEnd } from "../../../server/session/interactive/ui-screen-queue.ts";
import { noElevation } from "../../harness/elevation.ts";
import { nobodyNeedsOne } from "../../harness/no-second-factor.ts";
import { noReview } from "../../harness/review.ts";
import { closePorts } from "../../../server/session/open-ports.ts";
import { createInvoke } from "../../../server/session/invoke.ts";
import { createSessionLock } from "../../../server/session/session-lock.ts";
import type { SiteDatabase } from "../../../server/command/site-database.ts";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";
import { createMemoryChannel, type MemoryChannel } from "./memory-channel.ts";
import { limitsOf } from "../../harness/limits.ts";
import { isolation } from "../../harness/ui-isolation.ts";

/** A UI program of the tests, made one file: a UI process can read no other. For the running test. */
export const fixture = (name: string): string => {
  const outfile = join(temporaryDirectory(), "ui.mjs");
  buildSync({
    entryPoints: [join(import.meta.dirname, "fixtures", name)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "esm",
  });
  return outfile;
};

/** Eight groups of six digits, different for each index. */
export const recoveryKeyAt = (index: number): string =>
  Array.from({ length: 8 }, (_, group) => String((10_000 + (((index * 8 + group) * 7919) % 55_000)) * 11)).join("-");

const describe = (name: string): CommandDescription => ({
  name,
  aliases: [],
  synopsis: `does ${name}`,
  shaping: false,
  description: "",
  examples: [],
  parameters: [],
  rules: [],
  grants: [],
});

const keyRows = (count: number, name: (index: number) => string): Row[] =>
  Array.from({ length: count }, (_, index) => [
    name(index),
    new Secret(recoveryKeyAt(index), { keyId: `ID-${index}`, computerName: name(index) }),
  ]);

const keys = (rows: readonly Row[], format?: "json" | "list" | "table"): CommandResult => ({
  kind: "rows",
  columns: [
    { name: "ComputerName", width: 8 },
    { name: "RecoveryKey", width: 55, secret: true },
  ],
  batches: (async function* batches() {
    for (let at = 0; at < rows.length; at += 7) yield rows.slice(at, at + 7);
  })(),
  count: async () => rows.length,
  ...(format === undefined ? {} : { format }),
});

const findTranscript = async ({ transcripts }: Pick<CommandContext, "transcripts">, sessionId: string) => {
  const transcript = await transcripts.open(sessionId);
  if (transcript === undefined) throw new EndpointError("ObjectNotFound", `no transcript of ${sessionId}`);
  return transcript;
};

/** A few commands that answer in every way a command can. */
const run = async (
  line: string,
  context: Pick<CommandContext, "signal" | "askPassword" | "transcripts">,
  onPassword: () => void,
): Promise<CommandResult> => {
  const [name = "", argument = "", format] = line.split(" ");
  switch (name) {
    case "keys":
      return keys(
        keyRows(Number(argument), (index) => `PC-${index}`),
        (format as "json" | undefined) ?? "table", // as the test typed it
      );
    case "offer":
      return keys(keyRows(Number(argument), (index) => `PC-${index}`));
    case "planted":
    // A computer that calls itself what the first key's glyphs will be, and more.
    case "planted-offer":
      return keys(
        keyRows(name === "planted" ? 1 : 2, () => `\u{F0000}\u{F0001}\uE123\u001b[7mevil\u001b]52;c;x\u0007`),
        name === "planted" ? "table" : undefined,
      );
    case "text":
      return { kind: "text", text: `${argument || "plain"}\nsecond line\n` };
    case "foreign":
      return { kind: "text", text: "a\u{F0000}b\uE000c\u001b[31md\u0007e\n" };
    case "password":
    case "password-twice": {
      const password = await context.askPassword(
        "Password for the file",
        name === "password-twice" ? "new" : "existing",
      );
      onPassword();
      return { kind: "text", text: `got ${password instanceof Secret ? "a secret" : "nothing"}\n` };
    }
    case "slow":
      await new Promise((_, reject) => {
        context.signal.addEventListener("abort", () => reject(new EndpointError("OperationStopped", "Stopped.")));
      });
      throw new Error("never reached");
    case "brief":
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { kind: "text", text: "brief is done\n" };
    case "transcript":
      return { kind: "transcript", transcript: await findTranscript(context, argument), v2: false };
    case "crash":
      throw new TypeError("a bug quoting a\u{F0000}key");
    case "clear":
    case "exit":
      return { kind: "session", action: name };
    default:
      throw new Error(`no such command in this test: ${name}`);
  }
};

const known = [
  "keys",
  "offer",
  "planted",
  "planted-offer",
  "text",
  "foreign",
  "password",
  "password-twice",
  "transcript",
  "slow",
  "brief",
  "crash",
  "clear",
  "exit",
];

const visibleTo = (onPassword: () => void): VisibleCommands => ({
  descriptions: known.map(describe),
  bindIfAllowed: () => {
    throw new Error("no shell asks this");
  },
  bindLine(line) {
    const [name = ""] = line.split(" ");
    if (!known.includes(name)) {
      throw new Refusal("CommandNotFound", `'${line}' is not recognised.`, { reason: "unknown" });
    }
    return {
      command: { name, parameters: {}, reason: undefined, run: (context) => run(line, context, onPassword) },
      shaping: [],
      roleCapability: "test",
      approval: undefined,
      keyBounds: undefined,
    };
  },
});

export interface Shell extends MemoryChannel {
  readonly result: ReturnType<typeof serveInteractive>;
  readonly pool: UiPool;
  /** UI processes that ended otherwise than by being closed. */
  readonly lost: UiProcessEnd[];
  readonly events: AuditEvent[];
  resize(size: TerminalSize): void;
  readonly shutdown: AbortController;
  changeCommands(): void;
  /** The transcript's output events, in one text. */
  transcript(): string;
  markers(): string[];
  /** Where the transcripts are: a test may put others there. */
  readonly transcripts: string;
  /** How many passwords reached a command. */
  passwordsGiven(): number;
  /** Types a line and waits for its answer's end. */
  run(line: string): Promise<string>;
  readonly ui: { process(): number };
}

export interface ShellOptions {
  readonly bundle?: string;
  readonly pool?: UiPool;
  readonly poolOptions?: Partial<UiPoolOptions>;
  readonly connectedUser?: string;
  /** `undefined`: no pty. */
  readonly terminal?: PseudoTerminal | undefined;
  readonly dependencies?: Partial<InteractiveDependencies>;
  /** Asked before an event counts as recorded; it may throw. */
  readonly append?: (event: AuditEvent) => Promise<void>;
  /** Wraps the real transcripts, to make them fail. */
  readonly transcripts?: (real: OpenTranscript) => OpenTranscript;
}

export const poolFor = (bundle: string, lost: UiProcessEnd[], options: Partial<UiPoolOptions> = {}): UiPool => {
  const pool = createUiPool({
    bundle,
    isolation,
    spare: 0,
    lingerMs: 0,
    onLost: (end) => void lost.push(end),
    report: () => undefined,
    onUsedUp: () => undefined,
    ...options,
  });
  onTestFinished(() => pool.close());
  return pool;
};

const xterm: PseudoTerminal = { columns: 80, rows: 24, term: "xterm-256color" };

/** A shell session as a client has it, on real UI processes, a real transcript and the real `invoke`. */
export const startShell = (options: ShellOptions = {}): Shell => {
  const directory = temporaryDirectory();
  const client = createMemoryChannel();
  const lost: UiProcessEnd[] = [];
  const events: AuditEvent[] = [];
  let passwordsGiven = 0;
  const visible = visibleTo(() => {
    passwordsGiven += 1;
  });
  const pool = options.pool ?? poolFor(options.bundle ?? fixture("plain-ui.mts"), lost, options.poolOptions);
  const connectedUser = options.connectedUser ?? "alice";
  const listeners = new Set<() => void>();
  const shutdown = new AbortController();
  let resize: (size: TerminalSize) => void = () => undefined;
  const invoke = createInvoke({
    log: {
      append: async (event) => {
        await options.append?.(event);
        events.push(event);
      },
    },
    ports: closePorts({
      siteDatabase: {} as SiteDatabase, // no command of these tests asks it
      transcripts: transcriptPort(directory),
      review: noReview,
      now: () => new Date(),
    }),
    visibleCommands: () => visible,
    elevation: noElevation,
    connectedUser,
    party: { connectedUser, keyFingerprint: "SHA256:x" },
    ...limitsOf(),
    origin: {},
    uptimeMs: () => performance.now(),
  });
  const open = transcriptsIn(directory, { now: () => new Date(), clockMs: () => performance.now() });
  const result = serveInteractive(
    {
      invoke,
      sessionId: "S-1",
      visibleCommands: () => visible.descriptions,
      onCommandsChanged: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onNotice: () => () => undefined,
      revoked: new AbortController().signal,
      uiPool: pool,
      openTranscript: options.transcripts?.(open) ?? open,
      endpointName: "demo",
      welcome: "Welcome",
      idleLockMs: 600_000,
      idleTimeoutMs: 600_000,
      longestSessionMs: 600_000,
      shutdown: shutdown.signal,
      lock: createSessionLock({
        secondFactor: nobodyNeedsOne,
        party: { connectedUser, keyFingerprint: "SHA256:x" },
        record: async () => undefined,
      }),
      noticeToAccept: "",
      onNoticeAnswered: async () => undefined,
      onStarted: async () => undefined,
      ...options.dependencies,
    },
    {
      connectionId: "C-1",
      connectedUser,
      clientAddress: "127.0.0.1",
      keyFingerprint: "SHA256:x",
      refusalNow: () => undefined,
    },
    {
      kind: "shell",
      terminal: "terminal" in options ? options.terminal : xterm,
      onResize: (listener) => {
        resize = listener;
      },
    },
    client.channel,
  );
  result.catch(() => undefined); // a test that cares awaits it
  onTestFinished(async () => {
    client.read();
    client.close();
    await result.catch(() => undefined);
  });
  const recorded = (code: string): string[] =>
    readFileSync(join(directory, "S-1.cast"), "utf8")
      .split("\n")
      .slice(1)
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as readonly [number, string, string]) // asciicast v3, as our own writer makes it
      .filter(([, kind]) => kind === code)
      .map(([, , text]) => text);
  return {
    ...client,
    result,
    pool,
    lost,
    events,
    shutdown,
    resize: (size) => resize(size),
    changeCommands: () => listeners.forEach((listener) => listener()),
    transcript: () => recorded("o").join(""),
    markers: () => recorded("m"),
    transcripts: directory,
    passwordsGiven: () => passwordsGiven,
    async run(line) {
      const from = client.output().length;
      client.type(`${line}\r`);
      await client.sees(/end \d+ \d+ [a-z]*\r\n/, from);
      return client.output().slice(from);
    },
    ui: {
      process: () => Number(/.*pid (\d+)/s.exec(client.output())?.[1]),
    },
  };
};
