import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { openRecord } from "../audit/open-record.ts";
import { withoutUsers } from "../authorization/edit-roles.ts";
import { pathsIn, readConfiguration, type EndpointFile } from "../configuration.ts";
import { demoRecords } from "../demo/site.ts";
import { EndpointError } from "../errors.ts";
import { initSite } from "../site-database/adapters.ts";
import { openRecoveryRecordWriter } from "../site-database/embedded/index.ts";
import { sealingKeyBytes } from "../identity/second-factor/sealing.ts";
import { generateSshKeyPair } from "../identity/generate-key.ts";
import { readHostKeyProofs } from "../ssh/host-key-proofs.ts";
import { importRecord } from "./local-record.ts";
import { readMasterKey } from "../site-database/embedded/configured-master-key.ts";
import type { Io } from "./io.ts";
import { openFile } from "../files/judge.ts";
import { writeNewFile } from "../files/new-file.ts";
import { readTrustedSync } from "../files/trusted-file.ts";
import { readLogKey } from "../endpoint/private-key.ts";
import { findEmbeddedSite } from "./site.ts";

export const demoUsers = ["support", "exporter", "requester", "certadmin", "approver", "auditor", "guest"] as const;

/** unix(7): sun_path has 108 bytes, and Node keeps some of them. */
const longestSocketPath = 103;

export interface InitOptions {
  readonly dataDirectory: string;
  readonly demo: boolean;
  /** Into a new endpoint.json: screens start though they can't have accounts of their own. */
  readonly acceptSharedAccount?: boolean;
}

const makeDirectory = (path: string): void => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
};

const isDemo = (endpoint: string): boolean => {
  try {
    const file: unknown = JSON.parse(readTrustedSync(endpoint, openFile("configuration")).toString("utf8"));
    return typeof file === "object" && file !== null && "demo" in file && file.demo === true;
  } catch {
    return false;
  }
};

/** `--demo` must never turn someone's real data directory into a demo, nor fill a folder with other things in it. */
const refuseForeignDirectory = (dataDirectory: string): void => {
  if (!existsSync(dataDirectory) || readdirSync(dataDirectory).length === 0) return;
  if (isDemo(pathsIn(dataDirectory).endpoint)) return;
  throw new EndpointError(
    "ResourceExists",
    `${dataDirectory} is not empty and was not made by a demo; give --demo an empty --data-dir.`,
  );
};

const makeSshKey = (path: string, comment: string): boolean => {
  if (existsSync(path)) return false;
  const pair = generateSshKeyPair(comment);
  // The public half first: whoever finds the private key finds its public one too.
  writeNewFile(`${path}.pub`, `${pair.publicKey.trim()}\n`, 0o644);
  return writeNewFile(path, pair.privateKey, 0o600);
};

/** The key that will sign checkpoints of the log. */
const makeLogKey = (path: string): boolean => {
  if (existsSync(path)) return false;
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  writeNewFile(`${path}.pub`, publicKey.export({ type: "spki", format: "pem" }), 0o644);
  return writeNewFile(path, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
};

/** What second factors are sealed with. A new one could open none of those that are there. */
const makeSecondFactorKey = (path: string, factors: string): boolean => {
  if (existsSync(path)) return false;
  if (existsSync(factors) && readdirSync(factors).length > 0) {
    throw new EndpointError(
      "ObjectNotFound",
      `The second factors' key ${path} is missing, and ${factors} needs it. Restore it, or take the second factors away: rm -r ${factors}`,
    );
  }
  return writeNewFile(path, randomBytes(sealingKeyBytes), 0o600);
};

const demoNotice = `Everything in this folder was made by a demo, its keys and its master key too. Nothing in it protects anything.\n`;

/** Fills a demo's site database through the door that `pep import` uses, on the record. */
const fillDemo = async (dataDirectory: string, io: Io): Promise<void> => {
  const configuration = readConfiguration(dataDirectory, pathsIn(dataDirectory).endpoint);
  const log = await openRecord({
    directory: pathsIn(dataDirectory).audit,
    key: readLogKey(pathsIn(dataDirectory).logKey),
    server: io.hostName,
    runtime: io,
  });
  try {
    const site = findEmbeddedSite(configuration);
    const writer = openRecoveryRecordWriter({
      file: site.file,
      masterKey: readMasterKey(site),
      record: importRecord(log),
    });
    try {
      const files = [{ name: "demo", sha256: "" }];
      await log.append({ type: "import-started", localUser: io.localUser, files });
      const { added, unchanged } = await writer.importFile(demoRecords(io.now()), {
        onProgress: () => undefined,
        signal: new AbortController().signal,
      });
      await log.append({
        type: "import-finished",
        localUser: io.localUser,
        outcome: "succeeded",
        files: [{ name: "demo", added, unchanged, skipped: 0 }],
      });
    } finally {
      await writer.close();
    }
  } finally {
    await log.close();
  }
};

/**
 * Makes a data directory, or what is missing in one; never overwrites, so that it can be run again after an upgrade.
 *
 * @returns whether anything was made
 */
export const initDataDirectory = async (
  { dataDirectory, demo, acceptSharedAccount = false }: InitOptions,
  io: Io,
): Promise<boolean> => {
  const paths = pathsIn(dataDirectory);
  if (demo) refuseForeignDirectory(dataDirectory);
  if (Buffer.byteLength(paths.control) > longestSocketPath) {
    throw new EndpointError(
      "InvalidArgument",
      `${dataDirectory} is too long a path: ${paths.control} must fit into ${longestSocketPath} bytes, as a socket's name.`,
    );
  }
  const made: string[] = [];
  const note = (path: string, isNew: boolean): void => {
    if (isNew) made.push(path);
  };
  makeDirectory(dataDirectory);
  chmodSync(dataDirectory, 0o700);
  for (const directory of [paths.authorizedKeys, paths.state, paths.log, paths.transcripts]) makeDirectory(directory);
  const beside = join(dirname(dataDirectory), basename(dataDirectory));
  const endpoint: EndpointFile = {
    endpointName: "pep",
    listen: "127.0.0.1:2222",
    siteDatabase: { kind: "embedded" },
    masterKey: { file: demo ? "demo/master-key" : `${beside}.master-key` },
    backupDirectory: `${beside}.backup`,
    ...(acceptSharedAccount ? { userInterface: { acceptSharedAccount } } : {}),
    ...(demo ? { demo: true } : {}),
  };
  if (demo) {
    makeDirectory(paths.demoKeys);
    writeNewFile(join(dataDirectory, "demo", "README"), demoNotice, 0o644);
  }
  note(paths.endpoint, writeNewFile(paths.endpoint, `${JSON.stringify(endpoint, null, 2)}\n`, 0o600));
  // Editors complete from the schema; its place is the package's, not the data directory's.
  const schema = join(io.packageRoot, "server", "authorization", "jea-roles.schema.json");
  const shippedRoles = readFileSync(join(io.packageRoot, "jea-roles.json"), "utf8").replace(
    /"\$schema": "[^"]*"/,
    `"$schema": ${JSON.stringify(pathToFileURL(schema).href)}`,
  );
  // The users of the shipped roles are a demo's. Elsewhere a key of such a name would have a role that nobody gave.
  note(paths.roles, writeNewFile(paths.roles, demo ? shippedRoles : withoutUsers(shippedRoles), 0o600));
  note(paths.hostKey, makeSshKey(paths.hostKey, "pep host key"));
  note(paths.logKey, makeLogKey(paths.logKey));
  if (demo) {
    for (const user of demoUsers) {
      const key = join(paths.demoKeys, user);
      note(key, makeSshKey(key, `pep demo ${user}`));
      writeNewFile(join(paths.authorizedKeys, user), readTrustedSync(`${key}.pub`, openFile("demo key")), 0o600);
    }
  }
  const configuration = readConfiguration(dataDirectory, paths.endpoint);
  makeDirectory(configuration.backupDirectory);
  note(configuration.secondFactorKey, makeSecondFactorKey(configuration.secondFactorKey, paths.secondFactors));
  const site = await initSite(configuration.siteDatabase);
  made.push(...site.paths);
  if (demo && site.isNew) await fillDemo(dataDirectory, io);
  for (const path of made) io.stderr.write(`made ${path}\n`);
  return made.length > 0;
};

/** What clients need before their first connection. */
const proofsInWords = (hostKey: string, listen: { readonly host: string; readonly port: number }): string => {
  const { fingerprint, knownHostsLine, sshfpRecord } = readHostKeyProofs(hostKey);
  // Nobody connects to "every address"; the machine's name is what they will type.
  const host = listen.host === "0.0.0.0" || listen.host === "::" ? hostname() : listen.host;
  return [
    `host key fingerprint  ${fingerprint}`,
    `known_hosts line      ${knownHostsLine(host, listen.port)}`,
    `SSHFP record          ${sshfpRecord(hostname())}`,
    "",
  ].join("\n");
};

/** A person who makes a new endpoint.json without root is asked. A script uses a flag, or gets no screens. */
const askSharedAccount = async ({ dataDirectory, demo }: InitOptions, io: Io): Promise<boolean> => {
  if (demo || process.getuid?.() === 0 || !io.stdin.isTTY || existsSync(pathsIn(dataDirectory).endpoint)) return false;
  io.stderr.write(
    "Each screen needs an account of its own. A server gives accounts only as root, or as a service with CAP_SETUID, CAP_SETGID and\n" +
      "CAP_KILL. Without them no screen starts, unless you accept that all screens share the server's account. Code that broke out of\n" +
      "a screen could then read what the server reads. Command lines work in any case. Accept one account? [y/N] ",
  );
  const answer = await io.stdin.readLine();
  io.stdin.close();
  return /^y(?:es)?$/i.test(answer?.trim() ?? "");
};

/** `pep init`: makes the data directory and says what an administrator does next. */
export const initCommand = async (options: InitOptions, io: Io): Promise<number> => {
  const dataDirectory = resolve(options.dataDirectory);
  const paths = pathsIn(dataDirectory);
  const acceptsTooLate = options.acceptSharedAccount === true && existsSync(paths.endpoint);
  const acceptSharedAccount = options.acceptSharedAccount === true || (await askSharedAccount(options, io));
  const made = await initDataDirectory({ ...options, dataDirectory, acceptSharedAccount }, io);
  if (!made) io.stderr.write(`${dataDirectory} is complete; nothing was changed.\n`);
  if (acceptsTooLate && !readConfiguration(dataDirectory, paths.endpoint).userInterface.acceptSharedAccount) {
    io.stderr.write(
      `note: --accept-shared-account is for a new ${paths.endpoint}. This one was left as it is: write "userInterface": { "acceptSharedAccount": true } into it.\n`,
    );
  }
  io.stdout.write(proofsInWords(paths.hostKey, readConfiguration(dataDirectory, paths.endpoint).listen));
  io.stderr.write(
    options.demo
      ? `Next: pep serve --demo --data-dir ${dataDirectory}\n`
      : [
          "Next:",
          `  1. move the master key and the second factors' key to where backups of the data directory don't go, and say where in ${paths.endpoint}`,
          `  2. pep users add USER --key FILE.pub --role ROLE --data-dir ${dataDirectory}   (ROLE as operator, in ${paths.roles}; without a role a user has only the default commands)`,
          `  3. pep import --data-dir ${dataDirectory} FILE...   then   pep serve --data-dir ${dataDirectory}`,
          "",
        ].join("\n"),
  );
  return 0;
};
