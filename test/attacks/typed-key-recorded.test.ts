/*
 * ATTACK: somebody writes the recovery key that a caller reads out where anything may be typed, in their own way of writing:
 *         full-width digits, groups of three, dots, words, labels or numbering between. In a reason, as a computer's name, in any
 *         other parameter, in a request for approval, as a user's name, an environment variable, a subsystem, TERM.
 * DANGER: the record, which many may read and nobody may change, keeps a key that opens a disk.
 * EXPECT: a value that holds a key is refused and neither repeated nor kept in part; what a client says of itself is masked.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { decode, everythingGranted, outcome } from "../authorization/roles-text.ts";
import { run, startSharedEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";
import { startCertifiedEndpoint } from "../harness/certified-endpoint.ts";
import { groupsLeftIn, namesOfKey, writings } from "../model/key-in-writings.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

/** What is made by chance, and may have any digits. */
const madeByChance =
  /^(?:SHA256:.{43}|[0-9a-f]{64}|[A-Z]-[0-9a-f]{8,16}(?:\.cast)?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Every text of the record, each by itself. */
const textsOf = (value: unknown): readonly string[] => {
  if (typeof value === "string") return madeByChance.test(value) ? [] : [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
};
const keptIn = ({ dataDirectory, events }: Pick<Endpoint, "dataDirectory" | "events">): readonly string[] => {
  const folder = join(dataDirectory, "audit", "transcripts");
  const headers = readdirSync(folder).map((name): unknown =>
    JSON.parse(readFileSync(join(folder, name), "utf8").split("\n")[0] ?? ""),
  );
  return textsOf([events(), headers]).flatMap(groupsLeftIn);
};

const refused = async (user: DemoUser, line: string): Promise<void> => {
  const { status, stdout, stderr } = await endpoint.ssh(user, line);
  expect([line, status]).toEqual([line, 2]);
  expect(groupsLeftIn(stdout + stderr)).toEqual([]);
};

describe.each(Object.entries(writings))("a key %s", (name, text) => {
  test("is no reason, and no reason of a request or a decision", async () => {
    await refused("support", `Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason 'caller reads ${text}'`);
    await refused("requester", `Request-Elevation 'Get-RecoveryKeys -ComputerName DEMO-PC-01' -Reason '${text}'`);
    await refused("requester", `Request-Elevation "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason '${text}'"`);
    await refused("approver", `Deny-Elevation E-00000000 -Comment '${text}'`);
    expect(keptIn(endpoint)).toEqual([]);
  });

  test.runIf(namesOfKey.some((each) => each === name))("is no computer's name and no list of them", async () => {
    await refused("support", `Get-RecoveryKeys -ComputerName ${text}`);
    await refused("support", `Get-RecoveryKeys -ComputerName PC-1,x${text},PC-2`);
    await refused("support", `Get-RecoveryKeys -RecoveryKeyId ${text}`);
    await refused("certadmin", `backup-cert -Name ${text}`);
    expect(keptIn(endpoint)).toEqual([]);
  });
});

test("a key as a list of its groups is no list of computers", async () => {
  await refused("support", `Get-RecoveryKeys -ComputerName ${writings["with dots"].replaceAll(".", ",")}`);
  await refused("support", `Get-RecoveryKeys -ComputerName ${writings["in groups of three"].replaceAll(" ", ",")}`);
  expect(keptIn(endpoint)).toEqual([]);
});

test("no parameter of any command takes a key; of a line to be approved only its length is kept", () => {
  const roles = decode(everythingGranted());
  let tried = 0;
  for (const { kind, name, parameters } of commands) {
    for (const [parameter, { shape }] of parameters) {
      if (shape === "switch") continue;
      for (const text of Object.values(writings)) {
        const line = `${kind === "shaping" ? "Get-Command | " : ""}${name} -${parameter} '${text}'`;
        const words = outcome(roles, line);
        const taken = words.startsWith("accepted");
        expect([line, taken, groupsLeftIn(words)]).toEqual([line, parameter === "Invocation", []]);
        const kept = taken ? roles.commandsFor("alice").bindLine(line).command.parameters : {};
        expect([line, ...groupsLeftIn(JSON.stringify(kept))]).toEqual([line]);
        tried += 1;
      }
    }
  }
  expect(tried).toBeGreaterThan(300);
});

test.each(namesOfKey)("a key %s is masked where a client says who and what it is", async (name) => {
  const text = writings[name];
  const identity = join(endpoint.dataDirectory, "demo", "keys", "support");
  const before = endpoint.events().length;
  const ssh = (options: readonly string[], user: string, ...more: string[]) =>
    run("ssh", [...endpoint.sshArguments("support", options).slice(0, -1), `${user}@pep`, ...more]);
  expect((await ssh(["-i", identity], text, "Get-Command")).status).toBe(255);
  await ssh(["-o", `SetEnv=K${text}=1`], "support", "Get-Command");
  await ssh(["-s"], "support", text);
  const terminal = endpoint.terminal("support", { columns: 80, rows: 24 }, { TERM: text });
  await terminal.waitFor("support@pep");
  terminal.type("exit\r");
  await terminal.exited;
  const masked = endpoint
    .events()
    .slice(before)
    .filter((event) => JSON.stringify(event).includes("•••"))
    .map((event) => ("request" in event ? event.request.slice(0, 9) : event.type));
  expect(new Set(masked)).toEqual(new Set(["authentication", "env", "subsystem"]));
  expect(keptIn(endpoint)).toEqual([]);
});

test("a key as a certificate's id is masked", async () => {
  const it = await startCertifiedEndpoint();
  const { options } = await it.certify("support", ["-I", writings["numbered, in groups of three"]]);
  expect((await it.endpoint.ssh("support", "Get-Command", { options })).status).toBe(0);
  expect(it.endpoint.events().some((event) => JSON.stringify(event).includes("•) ••• •••"))).toBe(true);
  expect(keptIn(it.endpoint)).toEqual([]);
});
