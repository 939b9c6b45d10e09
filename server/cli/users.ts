import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuditEvent } from "../audit/event.ts";
import { loadRolesFile } from "../authorization/roles-file.ts";
import { pathsIn, readConfiguration } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { isCanonicalUserName } from "../model/user-name.ts";
import { FactorStore, type Factor } from "../identity/second-factor/factor-store.ts";
import { makeRecoveryCodes } from "../identity/second-factor/recovery-codes.ts";
import { base32Of, findStep, secretBytes, uriOf } from "../identity/second-factor/totp.ts";
import { commands } from "../../commands/index.ts";
import { addUser } from "./add-user.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";
import { drawQrCode } from "./qr-code.ts";
import { plural } from "../model/plural.ts";

export interface UsersOptions {
  readonly dataDirectory: string;
  readonly arguments: readonly string[];
  readonly force: boolean;
  readonly noQr: boolean;
  /** Of `add`: a file with a public key. */
  readonly key: string | undefined;
  readonly roles: readonly string[];
}

interface Place {
  readonly paths: ReturnType<typeof pathsIn>;
  readonly store: FactorStore;
  readonly endpointName: string;
}

const confirmations = 3;

const openPlace = (dataDirectory: string): Place => {
  const paths = pathsIn(dataDirectory);
  const { endpointName, secondFactorKey } = readConfiguration(dataDirectory, paths.endpoint);
  const places = { factors: paths.secondFactors, uses: paths.secondFactorUses, keyFile: secondFactorKey };
  return { paths, store: new FactorStore(places), endpointName };
};

type Change = Extract<AuditEvent, { type: "second-factor" }>["change"];

const record = async ({ paths }: Place, io: Io, user: string, change: Change): Promise<void> => {
  const log = await openLocalRecord(paths, io);
  try {
    await log.append({ type: "second-factor", localUser: io.localUser, user, change });
  } finally {
    await log.close();
  }
};

/** What would surprise the administrator later. */
const warn = ({ paths }: Place, io: Io, user: string): void => {
  if (!existsSync(join(paths.authorizedKeys, user))) {
    io.stderr.write(`note: ${user} has no file in authorized-keys; only a certificate logs them in.\n`);
  }
  if (loadRolesFile(paths.roles, commands).whySecondFactor(user).length === 0) {
    io.stderr.write(`note: nothing asks ${user} for it yet: set requireSecondFactor in ${paths.roles}.\n`);
  }
};

interface Shown {
  readonly secret: Uint8Array;
  readonly user: string;
  readonly endpointName: string;
  readonly noQr: boolean;
}

const showSecret = ({ secret, user, endpointName, noQr }: Shown, { stderr }: Io): void => {
  const uri = uriOf(secret, endpointName, user);
  const typed = base32Of(secret).replace(/(.{4})(?=.)/g, "$1 ");
  const qr = drawQrCode(uri);
  const drawn = !noQr && stderr.isTTY && stderr.columns >= qr.columns;
  if (!noQr && !drawn) stderr.write(`(no QR code: it needs a terminal of ${qr.columns} columns)\n`);
  stderr.write(
    drawn
      ? `For the authenticator of ${user}: scan this, or type\n  ${typed}\n`
      : `For the authenticator of ${user}:\n  ${uri}\nor, where it is typed:\n  ${typed}\n`,
  );
  if (drawn) stderr.write(`${qr.lines.join("\n")}\n`);
};

/** @returns the step of a right code */
const confirm = async (secret: Uint8Array, stop: AbortSignal, io: Io): Promise<number> => {
  const stopped = new Promise<undefined>((resolve) => {
    stop.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  for (let left = confirmations; left > 0; left -= 1) {
    io.stderr.write("Code that it shows now: ");
    const answer = stop.aborted ? undefined : await Promise.race([io.stdin.readLine(), stopped]);
    if (!io.stdin.isTTY || answer === undefined) io.stderr.write("\n"); // a terminal has echoed the line's end
    if (answer === undefined) break;
    const step = findStep(secret, answer.replaceAll(/\s/g, ""), io.now().getTime());
    if (step !== undefined) return step;
    if (left > 1) io.stderr.write("That code is wrong. Check the clocks of this machine and of the telephone.\n");
  }
  if (stop.aborted) throw new EndpointError("OperationStopped", "Stopped; nothing was changed.");
  throw new EndpointError("InvalidArgument", "No right code was given, so nothing was changed.");
};

const enrol = async (user: string, options: UsersOptions, stop: AbortSignal, io: Io): Promise<number> => {
  const place = openPlace(options.dataDirectory);
  const replaces = place.store.isEnrolled(user);
  if (replaces && !options.force) {
    throw new EndpointError(
      "ResourceExists",
      `${user} has a second factor. --force replaces it: the old one and its recovery codes end at once.`,
    );
  }
  place.store.examineKey();
  warn(place, io, user);
  const secret = randomBytes(secretBytes);
  try {
    showSecret({ secret, user, endpointName: place.endpointName, noQr: options.noQr }, io);
    const confirmedStep = await confirm(secret, stop, io);
    const { codes, kept } = await makeRecoveryCodes();
    await record(place, io, user, replaces ? "replaced" : "enrolled");
    await place.store.enrol(user, { secret, confirmedStep, recovery: kept }, io.now());
    io.stderr.write(
      [
        `${user} has a second factor now; it counts from the next log-in on.`,
        "Recovery codes, each good once in place of a code; they are not shown again.",
        "Keep them away from the telephone, and clear this screen.",
        "",
      ].join("\n"),
    );
    io.stdout.write(`${codes.join("\n")}\n`);
    return 0;
  } finally {
    secret.fill(0);
    io.stdin.close();
  }
};

/** `remove` is about the second factor alone; a log-in is a key and roles. */
const keptLogIn = ({ paths }: Place, user: string): string => {
  const file = join(paths.authorizedKeys, user);
  return existsSync(file)
    ? ` To take the log-in away: rm ${file}, take ${user} out of ${paths.roles}, then SIGHUP.`
    : "";
};

const remove = async (user: string, options: UsersOptions, io: Io): Promise<number> => {
  const place = openPlace(options.dataDirectory);
  if (!place.store.isEnrolled(user)) {
    throw new EndpointError("ObjectNotFound", `${user} has no second factor.${keptLogIn(place, user)}`);
  }
  const demanded = loadRolesFile(place.paths.roles, commands).whySecondFactor(user).length > 0;
  await record(place, io, user, "removed");
  await place.store.remove(user);
  io.stderr.write(
    `${user} has no second factor any more${demanded ? ", and can't log in until enrolled again" : ""}. Sessions that run go on.${keptLogIn(place, user)}\n`,
  );
  return 0;
};

const stateOf = (store: FactorStore, user: string): string => {
  let factor: Factor | undefined;
  try {
    factor = store.find(user);
    if (factor === undefined) return "not enrolled";
    const left = factor.recovery.hashes.length - store.findUse(factor).recoveryCodes.length;
    return `enrolled ${factor.enrolledAt}, ${plural(left, "recovery code")} left`;
  } catch (error) {
    if (error instanceof EndpointError) return `NOT USABLE: ${error.message}`;
    throw error;
  } finally {
    factor?.secret.fill(0);
  }
};

const list = (options: UsersOptions, io: Io): number => {
  const { paths, store } = openPlace(options.dataDirectory);
  const roles = loadRolesFile(paths.roles, commands);
  const users = [...new Set([...roles.users, ...store.users()])].sort();
  const rows = users.flatMap((user) => {
    const why = roles.whySecondFactor(user);
    if (why.length === 0 && !store.isEnrolled(user)) return [];
    return [
      [user, stateOf(store, user), why.length === 0 ? "not asked for" : `required by ${why.join(", ")}`] as const,
    ];
  });
  if (rows.length === 0) io.stderr.write("Nobody has a second factor, and nobody needs one.\n");
  const width = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length));
  for (const [user, state, why] of rows) {
    io.stdout.write(`${user.padEnd(width(0))}  ${state.padEnd(width(1))}  ${why}\n`);
  }
  return 0;
};

/** `pep users add | enrol | list | remove`. What changes something is on the record before it counts. */
export const usersCommand = async (options: UsersOptions, stop: AbortSignal, io: Io): Promise<number> => {
  const [verb, rawUser, ...more] = options.arguments;
  const user = rawUser?.toLowerCase();
  if (verb === "list" && user === undefined) return list(options, io);
  if ((verb !== "add" && verb !== "enrol" && verb !== "remove") || user === undefined || more.length > 0) {
    throw new EndpointError(
      "InvalidArgument",
      "Write: pep users add USER --key FILE --role ROLE, pep users enrol USER, pep users list, or pep users remove USER.",
    );
  }
  if (verb !== "add" && (options.key !== undefined || options.roles.length > 0)) {
    throw new EndpointError("InvalidArgument", "--key and --role belong to pep users add.");
  }
  if (!isCanonicalUserName(user)) {
    throw new EndpointError(
      "InvalidArgument",
      "A user's name has up to 64 letters, digits, dots, underscores, @ and hyphens, and begins with a letter or digit.",
    );
  }
  if (verb === "add") return addUser(user, options, stop, io);
  return verb === "enrol" ? enrol(user, options, stop, io) : remove(user, options, io);
};
