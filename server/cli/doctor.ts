import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../commands/index.ts";
import { Checkpointer } from "../audit/checkpointer.ts";
import { segmentMiB } from "../audit/event-log.ts";
import { readThrough } from "../audit/read-through.ts";
import type { Collection } from "../audit/collections.ts";
import type { SiteState } from "../audit/site-events.ts";
import { readCredentials } from "../audit-forwarding/connection.ts";
import { examineLag, examineReceiver } from "../audit-forwarding/examine.ts";
import { readRecentStrikes } from "../audit/recent-strikes.ts";
import { findWarnings } from "../authorization/find-warnings.ts";
import { loadRolesFile } from "../authorization/roles-file.ts";
import { problemInWords } from "../authorization/roles-problem.ts";
import { pathsIn, readConfiguration, type Configuration } from "../configuration.ts";
import { connectControl, type RemoteLog } from "../control/control-socket.ts";
import type { RecordState } from "../control/messages.ts";
import { EndpointError } from "../errors.ts";
import { FactorStore } from "../identity/second-factor/factor-store.ts";
import type { CertificateFinding } from "../command/site-database.ts";
import { examineSite } from "../site-database/adapters.ts";
import { advice, failedCheck, passed } from "../site-database/findings.ts";
import { isolationInWords, type UiIsolation, judgeIsolation } from "../session/interactive/isolation.ts";
import { lookAtMachine } from "../session/interactive/accounts/machine.ts";
import { readAuthorizedKeys } from "../identity/authorized-keys.ts";
import { readTrustAnchors } from "../identity/key-authenticator.ts";
import type { Io } from "./io.ts";
import { findKnownUsers } from "./known-users.ts";
import { readLogKey, readPrivateKey } from "../endpoint/private-key.ts";
import { freeBytesIn } from "../endpoint/storage.ts";
import { firstOf, inFew } from "../model/list-in-words.ts";
import { plural } from "../model/plural.ts";

type Paths = ReturnType<typeof pathsIn>;

/** What a failure was, for the administrator of the machine: with its cause. */
const inWords = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
};

const examinePrivateKey = (path: string, name: string): CertificateFinding => {
  const check = name.replace(" ", "-");
  try {
    readPrivateKey(path, name);
    return passed(check, `${path} is there, for its owner only.`);
  } catch (error) {
    return failedCheck(check, inWords(error));
  }
};

const examineRoles = (paths: Paths, configuration: Configuration): readonly CertificateFinding[] => {
  try {
    const roles = loadRolesFile(paths.roles, commands);
    const warnings = findWarnings(roles, findKnownUsers(paths, configuration)).map((warning) =>
      advice("roles", problemInWords(warning)),
    );
    return [passed("roles", `${paths.roles} is sound.`), ...warnings];
  } catch (error) {
    return [failedCheck("roles", inWords(error))];
  }
};

const examineKeys = (directory: string): readonly CertificateFinding[] => {
  try {
    const { problems } = readAuthorizedKeys(directory);
    return problems.length === 0
      ? [passed("authorized-keys", "Every key can be used.")]
      : problems.map((problem) => failedCheck("authorized-keys", problem));
  } catch (error) {
    return [failedCheck("authorized-keys", inWords(error))];
  }
};

/** Authorities and revoked keys, where endpoint.json names any. */
const examineTrustAnchors = (configuration: Configuration): readonly CertificateFinding[] => {
  const { problems, digest } = readTrustAnchors(configuration);
  if (digest === undefined) return [];
  return problems.length === 0
    ? [passed("trust-anchors", "Certificate authorities and revoked keys can be read.")]
    : problems.map((problem) => failedCheck("trust-anchors", problem));
};

/** Second factors, where anybody has one. */
const examineFactors = (store: FactorStore): readonly CertificateFinding[] => {
  const users = store.users();
  const problems = users.flatMap((user) => {
    try {
      const factor = store.find(user);
      if (factor !== undefined) store.findUse(factor);
      factor?.secret.fill(0);
      return [];
    } catch (error) {
      return [failedCheck("second-factors", `${user} can't log in: ${inWords(error)}`)];
    }
  });
  if (users.length === 0 || problems.length > 0) return problems;
  return [passed("second-factors", "Every second factor can be read.")];
};

/** Warns this much above the reserve: while there is time to act. */
const spaceToAct = 2;

const examineSpace = (directory: string, dataDirectory: string, reserveBytes: number): CertificateFinding => {
  const free = freeBytesIn(directory);
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;
  const left = `${mebibytes(free)} are free for the record; its reserve (auditReserveMiB) is ${mebibytes(reserveBytes)}`;
  const act = `make room, or run: pep audit prune --before DATE --data-dir ${dataDirectory} (it takes whole segments: ${segmentMiB} MiB, or 7 days old)`;
  if (free < reserveBytes / 2) return failedCheck("free-space", `${left}: every session is ended; ${act}`);
  if (free < reserveBytes) return failedCheck("free-space", `${left}: no session starts; ${act}`);
  return free < spaceToAct * reserveBytes
    ? advice("free-space", `${left}: below it no session starts; ${act}`)
    : passed("free-space", `${left}.`);
};

/** Budgets of users that struck: a script in a loop, a setting that is too small, or somebody who tries the endpoint. */
const examineBudgets = (logDirectory: string, now: Date): CertificateFinding => {
  try {
    const strikes = [...readRecentStrikes(logDirectory, now)].map(
      ([budget, { count, users }]) => `${budget} ${plural(count, "time")} (${inFew([...users].toSorted())})`,
    );
    return strikes.length === 0
      ? passed("budgets", "No user reached a limit within a day.")
      : advice("budgets", `Reached within a day: ${strikes.join(", ")}.`);
  } catch (error) {
    return failedCheck("budgets", `The record can't be read: ${inWords(error)}`);
  }
};

/**
 * Where a crashed program's memory goes. A limit of one byte forbids a dump to a file and, as Linux has it, to a pipe
 * (fs/coredump.c, `coredump_pipe`); a limit of none, all that a shell without prlimit sets, forbids only the file. Nothing
 * stops a socket.
 */
export const examineDumps = (pattern: string, limits: string): CertificateFinding => {
  const limit = /^Max core file size +(\S+)/m.exec(limits)?.[1];
  const taker = pattern.trim();
  const piped = taker.startsWith("|");
  const stopped = piped ? limit === "1" : !taker.startsWith("@") && (limit === "0" || limit === "1");
  if (stopped) {
    const where = piped ? `kernel.core_pattern is a pipe (${taker}), which gets nothing of pep` : "None is written";
    return passed("dumps", `${where}: the core limit is ${limit}.`);
  }
  return advice(
    "dumps",
    `A crash gives ${taker} the memory of pep, with the master key. If that is a pipe, install prlimit (util-linux). ` +
      "Else set kernel.core_pattern to a file's name.",
  );
};

const linuxPattern = "/proc/sys/kernel/core_pattern";

/** For the account that runs this; the server's may be another. */
export const examineScreens = (isolation: UiIsolation): readonly CertificateFinding[] => {
  const whenStarted = "When this account starts the server: ";
  const notes = isolationInWords(isolation).map((words) => advice("screens", `${whenStarted}${words}.`));
  if (isolation.kind !== "own-accounts") return notes;
  const [first, last] = [isolation.ids[0], isolation.ids.at(-1)];
  const finding = `${whenStarted}each screen's process has an account of its own, one of ${isolation.ids.length} from ${first} to ${last}, without a right.`;
  return [passed("screens", finding), ...notes];
};

const examineUserInterface = async (
  bundle: string,
  { userInterface }: Configuration,
): Promise<readonly CertificateFinding[]> => {
  if (!existsSync(bundle)) return [failedCheck("user-interface", `${bundle} is missing; run: npm run build`)];
  const notes: CertificateFinding[] = [];
  const machine = await lookAtMachine({
    program: process.execPath,
    bundle,
    range: userInterface.accounts,
    unanswered: (problem) => notes.push(advice("screens", problem)),
  });
  const built = passed("user-interface", "The UI's program is built.");
  return [...examineScreens(judgeIsolation(machine, userInterface)), ...notes, built];
};

/** The receiver of the record, where endpoint.json names one. That it is away or behind is no reason not to serve. */
const examineForwarding = async (
  { syslog, dataDirectory }: Configuration,
  signal: AbortSignal,
): Promise<readonly CertificateFinding[]> => {
  if (syslog === undefined) return [];
  try {
    const credentials = readCredentials(syslog);
    const found = [await examineReceiver(syslog, credentials, signal), examineLag(syslog, pathsIn(dataDirectory))];
    return found.map(({ passed: fine, finding }) => (fine ? passed("syslog", finding) : advice("syslog", finding)));
  } catch (error) {
    return [failedCheck("syslog", inWords(error))];
  }
};

interface RecordSays {
  /** Of the site database's rows. */
  readonly siteState: SiteState | undefined;
  /** The last one of every key. */
  readonly collection: Collection | undefined;
  /** What verifications found. */
  readonly state: RecordState;
}

/** Through the running server, or read from the log when none runs. */
const findRecord = async (
  { audit, log, logKey }: Paths,
  server: RemoteLog | undefined,
  stop: AbortSignal,
): Promise<RecordSays> => {
  if (server !== undefined) {
    const state = await server.recordState();
    return { siteState: await server.siteState(), collection: await server.collection(), state };
  }
  if (!existsSync(log)) return { siteState: undefined, collection: undefined, state: { problems: [], held: 0 } };
  const checkpointer = new Checkpointer({ directory: audit, key: readLogKey(logKey), giveUpSpace: () => false });
  const { siteState, collection, foundBefore } = await readThrough(audit, checkpointer, stop);
  return { siteState, collection, state: { problems: foundBefore, held: 0 } };
};

const heldInWords = ({ held, heldAt }: RecordState): string =>
  heldAt === undefined
    ? "No verification found a problem. To verify all of it, run: pep audit verify"
    : `All of it was verified ${held === 1 ? "once" : `${held} times`} since the start, and held. The last time was ${heldAt}`;

const examineRecord = ({ state }: RecordSays): CertificateFinding => {
  return state.problems.length === 0
    ? passed("record", heldInWords(state))
    : failedCheck(
        "record",
        `It does not hold, and no session starts: ${firstOf(state.problems)}. Run: pep audit verify`,
      );
};

/** `pep doctor`: what is wrong, in words. Exit status 1 when a required check failed. Changes nothing but an older site database's version. */
export const doctorCommand = async (
  { dataDirectory, whole }: { readonly dataDirectory: string; readonly whole: boolean },
  signal: AbortSignal,
  io: Io,
): Promise<number> => {
  const paths = pathsIn(dataDirectory);
  const findings: CertificateFinding[] = [];
  let configuration: Configuration | undefined;
  try {
    configuration = readConfiguration(dataDirectory, paths.endpoint);
    findings.push(passed("configuration", `${paths.endpoint} is sound.`));
  } catch (error) {
    findings.push(failedCheck("configuration", inWords(error)));
  }
  if (configuration !== undefined) {
    const factors = new FactorStore({
      factors: paths.secondFactors,
      uses: paths.secondFactorUses,
      keyFile: configuration.secondFactorKey,
    });
    findings.push(
      examinePrivateKey(paths.hostKey, "host key"),
      examinePrivateKey(paths.logKey, "log key"),
      ...examineRoles(paths, configuration),
      ...examineKeys(paths.authorizedKeys),
      ...examineTrustAnchors(configuration),
      ...examineFactors(factors),
      examineSpace(
        existsSync(paths.audit) ? paths.audit : dataDirectory,
        dataDirectory,
        configuration.auditReserveBytes,
      ),
      ...(existsSync(paths.log) ? [examineBudgets(paths.log, io.now())] : []),
      ...(await examineForwarding(configuration, signal)),
    );
    if (existsSync(linuxPattern)) {
      findings.push(examineDumps(readFileSync(linuxPattern, "utf8"), readFileSync("/proc/self/limits", "utf8")));
    }
    findings.push(...(await examineUserInterface(join(io.packageRoot, "dist", "ui", "ui.mjs"), configuration)));
    const server = await connectControl(paths.control).catch((error: unknown) => {
      if (error instanceof EndpointError) return undefined;
      throw error;
    });
    let record: RecordSays | undefined;
    try {
      record = await findRecord(paths, server, signal);
      findings.push(examineRecord(record));
    } catch (error) {
      findings.push(failedCheck("record", inWords(error)));
    }
    try {
      const { siteDatabase, backupDirectory } = configuration;
      const { credentialsDirectory } = io;
      const places = { dataDirectory, backupDirectory, credentialsDirectory };
      findings.push(...(await examineSite(siteDatabase, places, { record, whole }, signal)));
    } catch (error) {
      findings.push(failedCheck("site-database", inWords(error)));
    }
    findings.push(
      server === undefined ? advice("server", "No server runs on this data directory.") : passed("server", "It runs."),
    );
    await server?.close();
    if (configuration.demo) findings.push(advice("demo", "This is a demo: its master key protects nothing."));
  }
  for (const { check, weight, passed: fine, finding } of findings) {
    const verdict = fine ? "ok  " : weight === "advice" ? "note" : "FAIL";
    io.stdout.write(`${verdict}  ${check}: ${finding}\n`);
  }
  return findings.some(({ weight, passed: fine }) => weight === "required" && !fine) ? 1 : 0;
};
