import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { run, startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { openTerminal, type Terminal } from "../harness/terminal.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const size = { columns: 100, rows: 30 };
const prompt = /PS.*>\s*$/;

interface StoredKey {
  readonly PasswordId: string;
  readonly RecoveryKey: string;
  readonly ComputerName: string;
}

const stored = async (): Promise<readonly StoredKey[]> =>
  JSON.parse((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).stdout) as readonly StoredKey[];

/** Of the demo: one with a single key, and one with several. */
const keysOf = async (computerName: string): Promise<readonly StoredKey[]> =>
  (await stored()).filter((key) => key.ComputerName === computerName);

const logIn = async (): Promise<Terminal> => {
  const terminal = endpoint.terminal("support", size);
  await terminal.waitFor(prompt);
  return terminal;
};

const groupsIn = (text: string): readonly string[] => text.match(/\b\d{6}\b/g) ?? [];

/** Since this many events: the ids of the keys that were disclosed. */
const disclosedSince = (before: number): readonly string[] =>
  endpoint
    .events()
    .slice(before)
    .flatMap((event) => (event.type === "disclosure" && event.how === "interactive" ? event.keys : []))
    .map(({ keyId }) => keyId);

const transcripts = (): string =>
  readdirSync(join(endpoint.dataDirectory, "audit", "transcripts"))
    .map((name) => readFileSync(join(endpoint.dataDirectory, "audit", "transcripts", name), "utf8"))
    .join("\n");

describe("a key that is looked up by the eight digits of the recovery screen", () => {
  test("stands on a card, is read back group by group, and leaves nothing behind", async () => {
    const [key] = await keysOf("DEMO-PC-04");
    const groups = key?.RecoveryKey.split("-") ?? [];
    const before = endpoint.events().length;
    const terminal = await logIn();
    terminal.type(`Get-RecoveryKeys ${key?.PasswordId.slice(0, 8)} -Reason "Lost PIN"\r`);
    await terminal.waitFor("Read back, group 1");
    expect(disclosedSince(before)).toEqual([key?.PasswordId]);
    terminal.type("l");
    await terminal.waitFor((seen) => groupsIn(seen).join() === groups.join());
    terminal.type(groups[0] ?? "");
    await terminal.waitFor("Read back, group 2");
    terminal.type(groups[4] ?? "");
    await terminal.waitFor(/Group 2: \d{6} is wrong. That is group 5./);
    terminal.type("123456");
    await terminal.waitFor("Group 2: 123456 is wrong. A digit was misread.");
    for (const group of groups.slice(1)) terminal.type(group);
    await terminal.waitFor("All eight groups were read back right.");
    terminal.type("\u001b");
    const after = await terminal.waitFor(prompt);
    expect(after).toContain("of DEMO-PC-04 was shown, and was read back right.");
    expect(groupsIn(after)).toEqual([]);
    terminal.type("exit\r");
    expect(await terminal.exited).toBe(0);
    expect(groupsIn(terminal.scrollback())).toEqual([]);
    expect(groupsIn(transcripts()).filter((group) => groups.includes(group))).toEqual([]);
    expect(disclosedSince(before)).toHaveLength(1);
  });

  test("fits a window that becomes small while it is shown", async () => {
    const [key] = await keysOf("DEMO-PC-04");
    const terminal = await logIn();
    terminal.type("Get-RecoveryKeys DEMO-PC-04\r");
    await terminal.waitFor("Read back, group 1");
    terminal.resize(40, 10);
    await terminal.waitFor((seen) => groupsIn(seen).join("-") === key?.RecoveryKey);
    terminal.type("q");
    await terminal.waitFor(prompt);
    expect(groupsIn(terminal.scrollback())).toEqual([]);
  });
});

describe("of several keys", () => {
  test("only those that are chosen are disclosed, each with its own event", async () => {
    const keys = await keysOf("DEMO-PC-03");
    expect(keys.length).toBeGreaterThan(1);
    const before = endpoint.events().length;
    const terminal = await logIn();
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-03\r");
    await terminal.waitFor(`${keys.length} keys. Enter shows one`);
    expect(disclosedSince(before)).toEqual([]);
    const second = keys[1];
    terminal.type(second?.PasswordId.slice(0, 8) ?? "");
    await terminal.waitFor(`1 of ${keys.length} keys have`);
    terminal.type("\r");
    await terminal.waitFor("Read back, group 1");
    expect(disclosedSince(before)).toEqual([second?.PasswordId]);
    terminal.type("\u001b");
    await terminal.waitFor(`1 of ${keys.length} keys have "${second?.PasswordId.slice(0, 8)}", 1 shown`);
    terminal.type("\u001b");
    await terminal.waitFor(`${keys.length} keys, 1 shown`);
    terminal.type("\u001b");
    await terminal.waitFor(prompt);
    expect(disclosedSince(before)).toEqual([second?.PasswordId]);
    expect(endpoint.events().findLast(({ type }) => type === "command-finished")).toMatchObject({ rows: 1 });
  });

  test("Ctrl-C at the list stops the command; with -Format they are shown at once as before", async () => {
    const keys = await keysOf("DEMO-PC-03");
    const terminal = await logIn();
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-03\r");
    await terminal.waitFor("Enter shows one");
    terminal.type("\u0003");
    await terminal.waitFor(prompt);
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-03 -Format list\r");
    const seen = await terminal.waitFor(new RegExp(`${keys.length} rows`));
    for (const { RecoveryKey } of keys) expect(seen).toContain(RecoveryKey);
  });
});

test("lines of a file on a terminal go on without anybody to choose or to read", async () => {
  const before = endpoint.events().length;
  const answer = await run("ssh", endpoint.sshArguments("support", ["-tt"]), {
    input: "Get-RecoveryKeys -ComputerName DEMO-PC-03\nGet-RecoveryKeys -ComputerName DEMO-PC-04\nexit\n",
  });
  expect(answer.status).toBe(0);
  expect(disclosedSince(before).length).toBeLessThan(2);
});

test.skipIf(!["/usr/bin/tmux", "/bin/tmux"].some(existsSync))(
  "tmux has nothing of the key in its whole history, after the card and after the session (skips without tmux)",
  async () => {
    const [key] = await keysOf("DEMO-PC-04");
    const socket = `pep-${process.pid}-${Date.now()}`;
    const tmux = (...args: readonly string[]) => run("tmux", ["-L", socket, ...args]);
    const history = async (): Promise<string> =>
      (await tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "main")).stdout;
    const ssh = ["ssh", ...endpoint.sshArguments("support", ["-tt"])].map((word) => `'${word}'`).join(" ");
    const terminal = openTerminal("tmux", ["-L", socket, "new-session", "-s", "main", `${ssh}; read done`], size);
    await terminal.waitFor(/PS.*>/);
    terminal.type("Get-RecoveryKeys DEMO-PC-04\r");
    await terminal.waitFor("Read back, group 1");
    terminal.type("l");
    await terminal.waitFor((seen) => groupsIn(seen).join("-") === key?.RecoveryKey);
    terminal.type("\u001b");
    await expect.poll(history).toMatch(/PS.*>\s*$/);
    expect(groupsIn(await history())).toEqual([]);
    terminal.type("exit\r");
    await expect.poll(history).toContain("closed");
    expect(groupsIn(await history())).toEqual([]);
    await tmux("kill-server");
    await terminal.exited;
  },
);
