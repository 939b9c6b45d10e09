import { expect, test } from "vitest";
import type { Endpoint } from "../harness/endpoint.ts";
import { startLimited } from "../harness/limited-endpoint.ts";
import type { Terminal } from "../harness/terminal.ts";

const f2 = "\u001bOQ";

/** Of `support`'s one entry. */
const startWith = (rules: object): Promise<Endpoint> =>
  startLimited(({ roleCapabilities: { operator } }) => {
    operator?.visibleCommands.splice(0, 1, {
      name: "Get-RecoveryKeys",
      requireOneOf: ["ComputerName", "RecoveryKeyId"],
      maxRows: 10,
      ...rules,
    });
  });

const keysOf = async (endpoint: Endpoint): Promise<readonly Record<string, string>[]> =>
  JSON.parse((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).stdout);

const logIn = async (endpoint: Endpoint, size = { columns: 100, rows: 30 }): Promise<Terminal> => {
  const terminal = endpoint.terminal("support", size);
  await terminal.waitFor(/PS.*>/);
  return terminal;
};

/** Types as a person does: a key at a time, each seen before the next. */
const typeSlowly = async (terminal: Terminal, text: string): Promise<void> => {
  let typed = "";
  for (const key of text) {
    terminal.type(key);
    typed += key;
    await terminal.waitFor(() => terminal.screen().includes(`Look up: ${typed}`));
  }
};

const eventsOf = (endpoint: Endpoint, from: number): readonly string[] =>
  endpoint
    .events()
    .slice(from)
    .map(({ type }) => type);

test.each([
  { columns: 100, rows: 30 },
  { columns: 40, rows: 10 },
])("eight digits, a reason by number, and the key is shown at $columns × $rows", async (size) => {
  const endpoint = await startWith({ search: {}, requireReason: "listed" });
  const key = (await keysOf(endpoint))[7];
  const id = key?.["PasswordId"] ?? "";
  const terminal = await logIn(endpoint, size);
  await terminal.waitFor("F2 looks a key up");
  const from = endpoint.events().length;
  terminal.type(f2);
  await typeSlowly(terminal, id.slice(0, 8).toLowerCase());
  await terminal.waitFor("1 key found.");
  expect(terminal.screen()).toContain(key?.["ComputerName"]);
  expect(terminal.screen().split("\n").length).toBeLessThan(size.rows);
  terminal.type("\r");
  await terminal.waitFor("Reason:");
  terminal.type("\r");
  await terminal.waitFor("A reason is needed");
  terminal.type("5");
  await terminal.waitFor(/> +5 {2}Lost PIN/);
  terminal.type("\r");
  await terminal.waitFor("Read back, group 1");
  if (size.columns > 40) terminal.type("l");
  await terminal.waitFor((seen) => seen.match(/\b\d{6}\b/g)?.join("-") === key?.["RecoveryKey"]);
  terminal.type(`${key?.["RecoveryKey"]}`);
  await terminal.waitFor("All eight groups were read back right.");
  terminal.type("\r");
  await terminal.waitFor((seen) =>
    seen.replaceAll("\n", "").includes(`Get-RecoveryKeys -RecoveryKeyId ${id} -Reason 'Lost PIN'`),
  );
  const events = endpoint.events().slice(from);
  const searches = events.flatMap((event) => (event.type === "search" ? event.piece : []));
  expect(searches.length).toBeGreaterThan(0);
  for (const piece of searches) expect(id.toLowerCase()).toContain(piece);
  const shown = events.flatMap((event) => (event.type === "disclosure" ? event : []));
  expect(shown.map(({ keys, reason }) => [keys.map(({ keyId }) => keyId), reason])).toEqual([[[id], "Lost PIN"]]);
  // What the line was is had again with the arrow key.
  terminal.type("\u001b[A");
  await terminal.waitFor((text) => text.split(/-Reason 'Lost P\s*IN'/).length === 3);
});

test("a piece of a name lists its keys, and a longer one asks no more", async () => {
  const endpoint = await startWith({ search: {} });
  const terminal = await logIn(endpoint);
  const from = endpoint.events().length;
  terminal.type(f2);
  terminal.type("pc-05");
  await terminal.waitFor("2 keys found.");
  expect(terminal.screen()).toMatch(/> DEMO-PC-05 .* current .*\n {2}DEMO-PC-05 .* replaced /);
  terminal.type("x");
  await terminal.waitFor(/No computer's name and no key id has pc-05x in it/);
  terminal.type("\u007f");
  await terminal.waitFor(() => terminal.screen().includes("2 keys found."));
  const asked = eventsOf(endpoint, from).filter((type) => type === "search");
  expect(asked).toHaveLength(2);
  terminal.type("\u0003");
  await terminal.waitFor(/PS support@pep>\s*$/);
  terminal.type("\u0004");
  expect(await terminal.exited).toBe(0);
  expect(eventsOf(endpoint, from)).not.toContain("disclosure");
});

test("more questions than an hour allows say when there are more", async () => {
  const endpoint = await startWith({ search: { perHour: 1 } });
  const terminal = await logIn(endpoint);
  terminal.type(f2);
  terminal.type("pc-05");
  await terminal.waitFor("2 keys found.");
  terminal.type("\u0015pc-06");
  const seen = await terminal.waitFor("(search.perHour)");
  expect(seen).toContain("You searched 1 times within the last hour");
});

test("a role without the rule has no look-up, and asks nothing", async () => {
  const endpoint = await startWith({});
  const terminal = await logIn(endpoint);
  const from = endpoint.events().length;
  terminal.type(f2);
  await terminal.waitFor("! Your role has no look-up.");
  expect(terminal.screen()).not.toContain("F2");
  terminal.type("\u0004");
  expect(await terminal.exited).toBe(0);
  await expect.poll(() => eventsOf(endpoint, from)).toEqual(["session-ended", "connection-closed"]);
});
