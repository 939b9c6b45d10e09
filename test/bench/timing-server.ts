/**
 * The SSH server with its real log and no delay after a failure, so that a client sees what the delay would hide. For the
 * row `timing`. Arguments: a directory with `authorized-keys/`, `authorities` and `revoked`; the delay in milliseconds.
 */
import { join } from "node:path";
import { openEventLog } from "../../server/audit/event-log.ts";
import { readAuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { createKeyAuthenticator, readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { startSshServer } from "../../server/ssh/server.ts";
import { nobodyNeedsOne } from "../harness/no-second-factor.ts";
import { testRuntime } from "../harness/runtime.ts";

const [, , directory = "", delayMs = "0"] = process.argv;
const problem = (text: string): void => void process.stderr.write(`${text}\n`);
const log = await openEventLog({
  server: "pep-1",
  directory: join(directory, `record-${delayMs}`, "log"),
  runtime: testRuntime(),
});
const authorizedKeys = readAuthorizedKeys(join(directory, "authorized-keys"));
const anchors = readTrustAnchors({
  trustedUserCAKeys: join(directory, "authorities"),
  revokedKeys: join(directory, "revoked"),
});
[...authorizedKeys.problems, ...anchors.problems].forEach(problem);
const server = await startSshServer({
  listen: { host: "127.0.0.1", port: 0 },
  hostKeyPem: generateSshKeyPair("timing").privateKey,
  ident: "pep",
  banner: "",
  authenticator: createKeyAuthenticator({
    authorizedKeys,
    anchors,
    groupsOf: () => [],
    mayConnect: () => true,
    now: () => Date.now(),
  }),
  secondFactor: nobodyNeedsOne,
  sessions: { whyNone: () => undefined, serve: (_connection, _request, channel) => channel.end(0) },
  log,
  limits: {
    failureDelayMs: Number(delayMs),
    authenticationTries: 1_000_000,
    loginsPerAddress: 1000,
    startupsBegin: 1000,
    startupsFull: 1000,
    loginGraceMs: 3_600_000,
    preAuthenticationBytesIn: 2 ** 30,
    preAuthenticationBytesOut: 2 ** 30,
  },
  report: problem,
});
process.stdout.write(`${server.address.port}\n`);
process.stdin.once("end", () => process.exit(0)).resume();
