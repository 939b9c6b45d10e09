import { existsSync, globSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Endpoint, makeDemo, pep, run, startEndpoint } from "../harness/endpoint.ts";
import { askpass, editRoles, enrol } from "../harness/enrol.ts";
import { exec, logIn } from "../harness/ssh-attacker.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const demo = async (): Promise<string> => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  await makeDemo(dataDirectory);
  return dataDirectory;
};

const requireFor = (dataDirectory: string, definition: string): void =>
  editRoles(dataDirectory, ({ roleDefinitions }) => {
    Object.assign(roleDefinitions[definition] ?? {}, { requireSecondFactor: true });
  });

/** `ssh` as a desktop runs it: a program is asked for what a person would type. */
const sshWithAnswers = (endpoint: Endpoint, answers: readonly string[], options: readonly string[] = []) =>
  run("env", [
    ...askpass(temporaryDirectory(), answers),
    "ssh",
    ...endpoint.sshArguments("certadmin", options),
    "verify-cert -raw",
  ]);

const reasons = (endpoint: Endpoint): string[] =>
  endpoint
    .events()
    .flatMap((event) =>
      event.type === "authentication"
        ? [
            event.outcome === "refused"
              ? (event.reason ?? "")
              : `${event.outcome} ${event.secondFactor ?? event.method}`,
          ]
        : [],
    );

test("enrolled, asked, let in, refused, recovered and removed, with the real ssh", { timeout: 180_000 }, async () => {
  const dataDirectory = await demo();
  const first = await enrol(dataDirectory, "certadmin"); // no server runs: under the log's lock
  expect(first.status, first.stderr).toBe(0);
  expect(first.stderr).toContain("note: nothing asks certadmin for it yet");
  expect(first.recoveryCodes).toHaveLength(10);
  requireFor(dataDirectory, "user:certadmin");
  const endpoint = await startEndpoint({ dataDirectory });

  const code = await first.telephone.code();
  expect(await sshWithAnswers(endpoint, [code])).toMatchObject({ status: 0, stdout: "1\n" });
  const replayed = await sshWithAnswers(endpoint, [code], ["-o", "NumberOfPasswordPrompts=2"]);
  expect(replayed.status).toBe(255);
  expect(replayed.stderr).toContain("That code was used already. Wait for the next one.");
  expect(replayed.stderr).toContain("Permission denied (keyboard-interactive)");

  const script = await endpoint.ssh("certadmin", "verify-cert", { options: ["-o", "BatchMode=yes"] });
  expect(script).toMatchObject({ status: 255, stdout: "" });
  expect((await endpoint.ssh("guest", "Get-Command")).status).toBe(0); // whom nothing asks

  const terminal = endpoint.terminal("certadmin", { columns: 80, rows: 24 });
  await terminal.waitFor("Code:");
  const typed = await first.telephone.code();
  terminal.type(`${typed}\r`);
  await terminal.waitFor("PS certadmin@pep>");
  expect(terminal.raw()).not.toContain(typed); // no echo
  terminal.type("exit\r");
  await terminal.exited;

  const [lost = ""] = first.recoveryCodes;
  const recovered = await sshWithAnswers(endpoint, [lost]);
  expect(recovered).toMatchObject({ status: 0, stdout: "1\n" });
  expect(recovered.stderr).toContain("A recovery code was used. 9 left.");
  expect((await sshWithAnswers(endpoint, [lost], ["-o", "NumberOfPasswordPrompts=1"])).status).toBe(255);
  const list = await pep(["users", "list", "--data-dir", dataDirectory]);
  expect(list.stdout).toMatch(/^certadmin {2}enrolled \S+, 9 recovery codes left {2}required by user:certadmin\n$/);

  const refused = await enrol(dataDirectory, "certadmin");
  expect(refused).toMatchObject({ status: 4, stdout: "" });
  expect(refused.stderr).toContain("--force replaces it");
  const second = await enrol(dataDirectory, "certadmin", { arguments: ["--force"] }); // through the running server
  expect(second.status, second.stderr).toBe(0);
  const old = await sshWithAnswers(endpoint, [first.recoveryCodes[1] ?? ""], ["-o", "NumberOfPasswordPrompts=1"]);
  expect(old.status).toBe(255);

  const removed = await pep(["users", "remove", "certadmin", "--data-dir", dataDirectory]);
  expect(removed).toMatchObject({ status: 0, stdout: "" });
  expect(removed.stderr).toContain("can't log in until enrolled again");
  const after = await sshWithAnswers(endpoint, [await second.telephone.code()]);
  expect(after.stderr).toContain("Permission denied (publickey)");

  expect(reasons(endpoint)).toEqual([
    "continued publickey",
    "accepted code",
    "continued publickey",
    "the code was used before",
    expect.any(String), // the client's second question has no answer left
    "continued publickey",
    "accepted publickey",
    "continued publickey",
    "accepted code",
    "continued publickey",
    "continued recovery-code",
    "accepted recovery-code",
    "continued publickey",
    "the recovery code was used before",
    "continued publickey",
    "the recovery code is wrong",
    "a second factor is required, and none is enrolled",
  ]);
  const changes = endpoint.events().filter((event) => event.type === "second-factor");
  expect(changes).toMatchObject([
    { user: "certadmin", change: "enrolled" },
    { user: "certadmin", change: "replaced" },
    { user: "certadmin", change: "removed" },
  ]);

  // Nothing of either factor is anywhere in the data directory, nor on the server's standard error.
  const written = globSync(`${dataDirectory}/**/*`)
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path));
  const everything = Buffer.concat([...written, Buffer.from(endpoint.stderr())]);
  for (const { telephone, recoveryCodes } of [first, second]) {
    const { secret, base32 } = telephone;
    for (const form of [secret, base32, secret.toString("hex"), secret.toString("base64"), ...recoveryCodes]) {
      expect(everything.includes(form)).toBe(false);
    }
    for (const recoveryCode of recoveryCodes) expect(everything.includes(recoveryCode.replace("-", ""))).toBe(false);
  }
});

/*
 * ATTACK  A client keeps a connection open that logged in with the key alone, from before the roles asked for a code.
 * DANGER  A rule that counts for new connections only; ControlMaster keeps old ones for days.
 * EXPECT  Running sessions end with a sentence, new ones on the connection are refused, on the record.
 */
test("a reload that asks for a code ends what came in without one", { timeout: 120_000 }, async () => {
  const dataDirectory = await demo();
  const endpoint = await startEndpoint({ dataDirectory });
  const key = readFileSync(join(dataDirectory, "demo", "keys", "support"), "utf8");
  const client = await logIn(endpoint.port, "support", key);
  expect((await exec(client, "Get-Command")).status).toBe(0);
  const terminal = endpoint.terminal("support", { columns: 80, rows: 24 });
  await terminal.waitFor("PS support@pep>");

  editRoles(dataDirectory, ({ roleCapabilities }) => {
    Object.assign(roleCapabilities["operator"] ?? {}, { requireSecondFactor: true });
  });
  endpoint.signal("SIGHUP");
  await terminal.waitFor("Your role asks for a second factor now");
  await terminal.exited;
  const late = await exec(client, "Get-Command");
  expect(late).toMatchObject({ status: 130, stdout: "" });
  expect(late.stderr).toContain("takes no more sessions. Close it, and log in anew");
  const refusals = endpoint.events().filter((event) => event.type === "request-refused");
  expect(refusals.at(-1)).toMatchObject({ connectedUser: "support", request: "exec" });
  expect((await endpoint.ssh("support", "Get-Command")).status).toBe(255);

  const tested = await pep(["roles", "test", "--data-dir", dataDirectory]);
  expect(tested.stdout).toMatch(/operator\.requireSecondFactor: support can't log in: .* pep users enrol support/);
  const shown = await pep(["roles", "show", "support", "--data-dir", dataDirectory]);
  expect(shown.stdout).toContain("logs in with a second factor, because of role operator; none is enrolled");
});

test("an enrolment that is not confirmed changes nothing", { timeout: 120_000 }, async () => {
  const dataDirectory = await demo();
  for (const answers of [["000000", "no", ""], []]) {
    const { status, stdout, stderr } = await enrol(dataDirectory, "guest", { answers });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("No right code was given, so nothing was changed.");
  }
  expect(existsSync(join(dataDirectory, "state", "second-factor"))).toBe(false);
  const log = globSync(`${dataDirectory}/audit/log/*.ndjson`).map((path) => readFileSync(path, "utf8"));
  expect(log.join("")).not.toContain("second-factor");
  const list = await pep(["users", "list", "--data-dir", dataDirectory]);
  expect(list).toMatchObject({ status: 0, stdout: "" });
});

test("what is mistyped is told in a line", { timeout: 120_000 }, async () => {
  const dataDirectory = await demo();
  const failing = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await pep(["users", ...args, "--data-dir", dataDirectory]);
    expect(stdout).toBe("");
    return `${status} ${stderr}`;
  };
  expect(await failing()).toMatch(/^2 pep users: Write: pep users add USER/);
  expect(await failing("enrol")).toMatch(/^2 pep users: Write:/);
  expect(await failing("enrol", "../support")).toMatch(/^2 pep users: A user's name has/);
  expect(await failing("enrol", "a", "b")).toMatch(/^2 pep users: Write:/);
  expect(await failing("remove", "guest")).toMatch(
    /^3 pep users: guest has no second factor\. To take the log-in away: rm \S+authorized-keys\/guest,/,
  );
  rmSync(join(dataDirectory, "demo", "second-factor-key"));
  expect(await failing("enrol", "guest")).toMatch(
    /^3 pep users: The second factors' key .* is missing; pep init makes one\n$/,
  );
  expect((await pep(["users", "--help"])).stdout).toContain("pep users enrol USER");
});

test(
  "the key of the second factors lies beside the data directory, and none is made in the place of a lost one",
  { timeout: 120_000 },
  async () => {
    const dataDirectory = join(temporaryDirectory(), "data");
    const init = () => pep(["init", "--data-dir", dataDirectory]);
    expect((await init()).status).toBe(0);
    const keyFile = `${dataDirectory}.second-factor-key`;
    expect([statSync(keyFile).mode & 0o777, statSync(keyFile).size]).toEqual([0o600, 32]);
    expect((await enrol(dataDirectory, "alice")).status).toBe(0);
    const sound = await pep(["doctor", "--data-dir", dataDirectory]);
    expect(sound.stdout).toContain("ok    second-factors: Every second factor can be read.");

    renameSync(keyFile, `${keyFile}.away`);
    const lost = await init();
    expect([lost.status, existsSync(keyFile)]).toEqual([3, false]);
    writeFileSync(keyFile, Buffer.alloc(32, 1), { mode: 0o600 });
    const wrong = await pep(["doctor", "--data-dir", dataDirectory]);
    expect(wrong.stdout).toMatch(/^FAIL {2}second-factors: alice can't log in: .* sealed with another key\.$/m);

    const endpoint = join(dataDirectory, "endpoint.json");
    const file: object = JSON.parse(readFileSync(endpoint, "utf8"));
    writeFileSync(endpoint, JSON.stringify({ ...file, secondFactorKey: "inside" }), { mode: 0o600 });
    const inside = await pep(["users", "list", "--data-dir", dataDirectory]);
    expect(inside.status).toBe(2);
    expect(inside.stderr).toContain("secondFactorKey must lie outside the data directory");
  },
);
