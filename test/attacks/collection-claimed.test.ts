/*
 * ATTACK  An export of every key is cut off by a client that is gone, bounded by maxRows, cut behind a pipe, narrowed by a parameter, read on a
 *         screen, or made by a role that sees only a pattern of computers.
 * DANGER  It counts as a collection: nobody is warned any more, and the keys that were left out are lost with the site.
 * EXPECT  Only a whole export in a form for scripts, by a role that sees every key, to a client that closes in order, is a collection.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { pep, startEndpoint } from "../harness/endpoint.ts";
import { wireString } from "../../server/identity/wire.ts";
import { attack, logIn, message } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import { runLine, withForty } from "../session/invoke-stage.ts";

withForty();

const role = (entry: object): string =>
  JSON.stringify({
    roleCapabilities: { role: { visibleCommands: [entry, "Select-Object", "Sort-Object"] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["role"] } },
  });
const parameters = [
  "RecoveryKeyId",
  "VolumeType",
  "Since",
  "Latest",
  "Strict",
  "Reason",
  "NoRotation",
  "Format",
  "raw",
];
const everything = role({ name: "Get-RecoveryKeys", parameters: ["ComputerName", ...parameters] });
const patterned = role({
  name: "Get-RecoveryKeys",
  parameters: [{ name: "ComputerName", validatePattern: "PC-.*" }, ...parameters],
});
const few = role({ name: "Get-RecoveryKeys", parameters: ["ComputerName", ...parameters], maxRows: 39 });

test.each(["-raw", "-raw -Format csv", "-raw -Format ndjson -Reason Collection", "-raw -NoRotation -Strict"])(
  "Get-RecoveryKeys %s, whole, is a collection",
  async (given) => {
    const { outcome } = await runLine(`Get-RecoveryKeys ${given}`, { roles: everything });
    expect(outcome).toMatchObject({ exitStatus: 0, collected: { database: "embedded", keys: 40, stored: 40 } });
  },
);

test.each([
  ["", everything],
  ["-NoRotation -Format json", everything],
  ["-raw -Format table", everything],
  ["-raw -Format list", everything],
  ["-raw -Since 20000d", everything],
  ["-raw -Latest", everything],
  ["-raw -VolumeType OperatingSystem,FixedData,Removable,Unknown", everything],
  ["-raw -ComputerName PC-1", everything],
  ["-raw | Select-Object -First 3", everything],
  ["-raw | Select-Object -First 1000", everything],
  ["-raw | Sort-Object ComputerName", everything],
  ["-raw", patterned],
  ["-raw", few],
])("Get-RecoveryKeys %s is none", async (given, roles) => {
  const { outcome, events } = await runLine(`Get-RecoveryKeys ${given}`, { roles });
  expect(outcome.command).toBe("Get-RecoveryKeys");
  expect(outcome.collected).toBeUndefined();
  expect(events.map(({ type }) => type)).toContain("command-finished");
});

test.each(["interactive", "line"] as const)("what is read in an %s session is none", async (how) => {
  const { outcome } = await runLine("Get-RecoveryKeys -raw", { roles: everything, delivery: { how } });
  expect(outcome.exitStatus).toBe(0);
  expect(outcome.collected).toBeUndefined();
});

test("an export that could not be sent to its end is none", async () => {
  const { outcome } = await runLine("Get-RecoveryKeys -raw", {
    roles: everything,
    delivery: { show: () => Promise.reject(new Error("the channel was closed")) },
  });
  expect(outcome.exitStatus).not.toBe(0);
  expect(outcome.collected).toBeUndefined();
});

test("a client that is gone before it closed has collected nothing; one that closed in order has", async () => {
  const endpoint = await startEndpoint();
  const key = readFileSync(join(endpoint.dataDirectory, "demo", "keys", "exporter"), "utf8");
  const client = await logIn(endpoint.port, "exporter", key);
  client.on("error", () => undefined);
  client.exec("Get-RecoveryKeys -raw", (error, channel) => {
    if (error !== undefined) throw error;
    channel.once("data", () => client.destroy());
  });
  const seen = (type: string) => endpoint.events().filter((event) => event.type === type);
  await vi.waitFor(() => expect(seen("session-ended")).toHaveLength(1), 20_000);
  await vi.waitFor(() => expect(seen("connection-closed")).toHaveLength(1), 20_000);
  const whole = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
  expect(whole.status).toBe(0);
  await vi.waitFor(() => expect(seen("site-collected").length).toBeGreaterThan(0), 20_000);
  const rows: unknown[] = JSON.parse(whole.stdout);
  const second = seen("command-started")[1];
  expect(seen("site-collected")).toEqual([
    expect.objectContaining({
      keys: rows.length,
      invocationId: second !== undefined && "invocationId" in second ? second.invocationId : "",
    }),
  ]);
});

test.each(["before the command's end", "as the answer to the server's close"])(
  "a client that closes its channel %s: only the answer is an orderly end",
  async (when) => {
    const early = when.startsWith("before");
    const seen: boolean[] = [];
    const it = await startTestServer(async (_connection, _request, channel) => {
      await channel.write(Buffer.from("every key"));
      // As where a client hangs up while the end goes on the record.
      if (early) await vi.waitFor(() => expect(channel.closed.aborted).toBe(true));
      await channel.end(0);
      await vi.waitFor(() => expect(channel.closed.aborted).toBe(true));
      seen.push(channel.closedInOrder);
    });
    const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
    attacker.send(
      message.channelOpen("session", 0, 65_536, 32_768),
      message.request(0, "exec", true, wireString("go")),
    );
    await attacker.until(early ? "CHANNEL_DATA" : "CHANNEL_CLOSE");
    attacker.send(message.close(0));
    await vi.waitFor(() => expect(seen).toEqual([!early]));
  },
);

test("who may export is told at log-in what waits, until it was collected, also after a restart; nobody else is", async () => {
  let endpoint = await startEndpoint();
  const { dataDirectory } = endpoint;
  const welcomed = async (user: "exporter" | "support", env: Record<string, string>): Promise<string> => {
    const terminal = endpoint.terminal(user, { columns: 140, rows: 30 }, env);
    const shown = await terminal.waitFor("This session is recorded");
    await terminal.waitFor(/PS .*>/);
    terminal.type("exit\r");
    await terminal.exited;
    return shown;
  };
  for (const env of [{ TERM: "dumb" }, { TERM: "xterm-256color" }]) {
    expect(await welcomed("exporter", env)).toMatch(
      /Counted as not collected: \d+ keys\. Collect them, .*Get-RecoveryKeys -raw/,
    );
    expect(await welcomed("support", env)).not.toContain("collected");
  }
  const doctor = () => pep(["doctor", "--data-dir", dataDirectory]);
  expect((await doctor()).stdout).toMatch(/note {2}collection: Counted as not collected: \d+ keys/);
  expect((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).status).toBe(0);
  await vi.waitFor(() => expect(endpoint.events().map(({ type }) => type)).toContain("site-collected"), 20_000);
  for (const when of ["now", "after a restart"]) {
    expect(await welcomed("exporter", { TERM: "dumb" }), when).not.toContain("ollected");
    expect((await doctor()).stdout, when).toContain("ok    collection: Every key was collected");
    await endpoint.end();
    endpoint = await startEndpoint({ dataDirectory });
  }
});
