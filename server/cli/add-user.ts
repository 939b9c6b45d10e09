import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { holderOf, lockIn } from "../audit/lock.ts";
import { decodeRoles, type CheckedRoles } from "../authorization/decode-roles.ts";
import { withRole } from "../authorization/edit-roles.ts";
import { readRolesText } from "../authorization/roles-file.ts";
import { pathsIn, readConfiguration } from "../configuration.ts";
import { connectControl } from "../control/control-socket.ts";
import { EndpointError } from "../errors.ts";
import { replaceFile } from "../files/replace-file.ts";
import { readFileBytes } from "../import/read-recovery-file.ts";
import { FactorStore } from "../identity/second-factor/factor-store.ts";
import { decodeAuthorizedKeys, largestKeyFile, readKeyFile, type AuthorizedKey } from "../identity/authorized-keys.ts";
import { fingerprintOf } from "../identity/public-key.ts";
import { commands } from "../../commands/index.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";

export interface AddUserOptions {
  readonly dataDirectory: string;
  /** A public key as `ssh-keygen` writes it, or `-` for standard input. */
  readonly key: string | undefined;
  readonly roles: readonly string[];
}

const invalid = (message: string): EndpointError => new EndpointError("InvalidArgument", message);

const readGivenKeys = async (path: string, io: Io, stop: AbortSignal): Promise<readonly AuthorizedKey[]> => {
  const name = path === "-" ? "standard input" : path;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of path === "-" ? io.stdin.readBytes() : readFileBytes(path, stop)) {
    pieces.push(piece);
    size += piece.length;
    if (size > largestKeyFile) throw invalid(`${name} is too long for a public key.`);
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.includes("PRIVATE KEY-----")) {
    throw invalid(`${name} is a private key, which stays with its owner. Give the public one: its name ends with .pub`);
  }
  const { keys, refused } = decodeAuthorizedKeys(bytes);
  const [first] = refused;
  if (first !== undefined) {
    throw invalid(`${name}${first.line === undefined ? "" : `, line ${first.line}`}: ${first.why}`);
  }
  if (keys.length === 0) throw invalid(`${name} holds no key.`);
  return keys;
};

/** The roles file with these role capabilities given, and which of them are new. */
const giveRoles = (text: string, user: string, wanted: readonly string[]) => {
  const before = decodeRoles(text, commands);
  const capabilities = before.file.roleCapabilities;
  const missing = wanted.find((role) => !Object.hasOwn(capabilities, role));
  if (missing !== undefined) {
    throw invalid(`There is no role capability ${missing}. There are: ${Object.keys(capabilities).join(", ")}.`);
  }
  const added: string[] = [];
  let [roles, changed] = [before, text];
  for (const role of new Set(wanted)) {
    const next = withRole(changed, roles.file, user, role);
    if (next === changed) continue;
    added.push(role);
    [changed, roles] = [next, decodeRoles(next, commands)];
  }
  return { text: changed, added, roles };
};

/** What is left to do before this user can work. */
const nextSteps = (
  user: string,
  roles: CheckedRoles,
  isEnrolled: boolean,
  dataDirectory: string,
): readonly string[] => {
  const inDirectory = `--data-dir ${dataDirectory}`;
  const held = roles.heldRoles(user).map(({ roleCapability }) => roleCapability);
  const there = Object.entries(roles.file.roleCapabilities).map(
    ([role, { description = "" }]) => `  ${role}${description === "" ? "" : `: ${description}`}`,
  );
  return [
    ...(held.length > 0
      ? [`${user} has ${held.length === 1 ? "the role" : "the roles"} ${held.join(", ")}.`]
      : [
          `${user} has no role yet, so only the default commands. Give one of these: pep users add ${user} --role ROLE ${inDirectory}`,
          ...there,
        ]),
    ...(roles.mayConnect(user) ? [] : [`${user} can't log in: requiredGroups of the roles asks for a group.`]),
    ...(roles.whySecondFactor(user).length > 0 && !isEnrolled
      ? [`${user} can't log in without a second factor: pep users enrol ${user} ${inDirectory}`]
      : []),
    `What ${user} may do: pep roles show ${user} ${inDirectory}`,
  ];
};

/** A running server reads keys and roles when it is told to. */
const tellServer = async (paths: ReturnType<typeof pathsIn>, io: Io): Promise<void> => {
  const server = await connectControl(paths.control);
  if (server === undefined) return;
  await server.close();
  io.stderr.write(`The running server does not know it yet: kill -HUP ${holderOf(lockIn(paths.audit))}\n`);
};

/**
 * `pep users add`: a key into `authorized-keys/<user>`, roles into the roles file. On the record before either counts. The key goes first:
 * a role of somebody without a key would be there for whoever gets a key of that name.
 */
export const addUser = async (user: string, options: AddUserOptions, stop: AbortSignal, io: Io): Promise<number> => {
  const { dataDirectory, key, roles: wanted } = options;
  const paths = pathsIn(dataDirectory);
  const { trustedUserCAKeys, secondFactorKey } = readConfiguration(dataDirectory, paths.endpoint);
  const { text, added, roles } = giveRoles(readRolesText(paths.roles), user, wanted);
  if (key === undefined && wanted.length === 0) {
    const names = Object.keys(roles.file.roleCapabilities).join(", ");
    throw invalid(`Give --key FILE (a public key), --role ROLE, or both. Roles: ${names}.`);
  }
  const keyFile = join(paths.authorizedKeys, user);
  const own = existsSync(keyFile) ? readKeyFile(keyFile) : undefined;
  if (key === undefined && own === undefined && trustedUserCAKeys === undefined) {
    throw invalid(`${user} has no key in authorized-keys: give --key FILE too.`);
  }
  const there = own === undefined ? [] : decodeAuthorizedKeys(own).keys;
  const newKeys = (key === undefined ? [] : await readGivenKeys(key, io, stop)).filter(
    (given) => !there.some((one) => one.key.equals(given.key)),
  );
  if (newKeys.length > 0 || added.length > 0) {
    const log = await openLocalRecord(paths, io, stop);
    try {
      await log.append({
        type: "user-added",
        localUser: io.localUser,
        user,
        keyFingerprints: newKeys.map((one) => fingerprintOf(one.key)),
        roleCapabilities: added,
      });
    } finally {
      await log.close();
    }
    const before = own?.toString("utf8") ?? "";
    const lines = newKeys.map((one) => `${one.line}\n`).join("");
    if (lines !== "") {
      await replaceFile(keyFile, `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines}`);
      io.stderr.write(`wrote ${keyFile}\n`);
    }
    if (added.length > 0) {
      // Where the roles file is a link, its target is what an administrator edits.
      await replaceFile(realpathSync(paths.roles), text);
      io.stderr.write(`wrote ${paths.roles}\n`);
    }
    await tellServer(paths, io);
  } else {
    io.stderr.write("Nothing was changed: all of it is there.\n");
  }
  const factors = { factors: paths.secondFactors, uses: paths.secondFactorUses, keyFile: secondFactorKey };
  const isEnrolled = new FactorStore(factors).isEnrolled(user);
  for (const step of nextSteps(user, roles, isEnrolled, dataDirectory)) io.stderr.write(`${step}\n`);
  return 0;
};
