/*
 * ATTACK: a request's text is made to mislead the approver: control characters, right-to-left marks, quotes that close
 *         early, a dangerous end beyond what a screen shows, a recovery key in it, or so many requests that nobody reads.
 * DANGER: the second person approves what they did not read.
 * EXPECT: refused, or shown so that it reads as what it is.
 */
import { expect, test } from "vitest";
import { makeKeys } from "../commands/memory-site.ts";
import { createStage, idIn } from "../harness/elevation-stage.ts";

test.each([
  ["an escape sequence", "\u001b[2K"],
  ["a right-to-left override", "\u202e"],
  ["a zero-width space", "\u200b"],
  ["a line break", "\n"],
])("%s in an invocation makes no request", async (_, character) => {
  const stage = await createStage();
  const inner = `Get-RecoveryKeys -Reason "a${character}b"`;
  for (const line of [
    inner,
    `Request-Elevation '${inner}'`,
    `Request-Elevation 'Get-Command' -Reason 'a${character}b'`,
  ]) {
    expect([2, 126]).toContain((await stage.run("alice", line)).outcome.exitStatus);
  }
  expect(stage.events().some(({ type }) => type === "elevation")).toBe(false);
});

test.each([
  ["' -ComputerName PC-0001 '", "'' -ComputerName PC-0001 ''"],
  ["’ -raw ’", "’’ -raw ’’"],
  ["| Measure-Object", "| Measure-Object"],
  ["PC-0001,PC-0002", "PC-0001,PC-0002"],
])(
  "a reason of %s stays within its quotes, and the canonical line is read back as the same",
  async (reason, quoted) => {
    const stage = await createStage();
    const asked = await stage.run("alice", `Get-RecoveryKeys -Reason "${reason}"`);
    const id = idIn(asked.message);
    const seen = JSON.parse((await stage.run("dave", "Get-Elevation -Format json")).shown);
    expect(seen[0].Invocation).toBe(`Get-RecoveryKeys -Reason '${quoted}'`);
    expect(await stage.ask("alice", seen[0].Invocation)).toBe(id);
  },
);

test("an invocation too long to be read is not asked for", async () => {
  const stage = await createStage();
  stage.setKeys(makeKeys(900));
  const names = Array.from({ length: 190 }, (_, index) => `PC-${String(index + 1).padStart(4, "0")}`);
  const long = await stage.run("alice", `Get-RecoveryKeys -ComputerName ${names.join(",")}`);
  expect(long.outcome.exitStatus).toBe(5);
  expect(long.message).toContain("nobody would read all of it");
  expect(stage.events().some(({ type }) => type === "elevation")).toBe(false);
});

test("a recovery key in a request is refused wherever it would be kept", async () => {
  const stage = await createStage();
  const key = "235818-357951-253979-013365-241120-245575-342914-591910";
  for (const line of [
    `Get-RecoveryKeys -Reason 'it is ${key}'`,
    `Request-Elevation 'Get-RecoveryKeys -raw' -Reason 'it is ${key}' -Format json`,
    `Request-Elevation 'Get-RecoveryKeys -ComputerName ${key}' -Reason '${key}'`,
  ]) {
    const asked = await stage.run("alice", line);
    expect(asked.outcome.exitStatus).toBe(2);
    expect(asked.message).not.toContain("357951");
  }
  const id = await stage.ask("alice", "Get-RecoveryKeys -raw");
  expect((await stage.run("dave", `Deny-Elevation ${id} -Comment 'not ${key}'`)).outcome.exitStatus).toBe(2);
  const seen = (await stage.run("alice", "Get-Elevation -Format json")).shown;
  expect(seen + JSON.stringify(stage.events())).not.toMatch(/357951|••••••/);
});

test("one user's requests are limited, and the same one is not made twice", async () => {
  const stage = await createStage();
  const ids = new Set<string>();
  for (let day = 1; day <= 20; day += 1) {
    ids.add(await stage.ask("alice", `Get-RecoveryKeys -Since ${day}d`));
    ids.add(await stage.ask("alice", `Get-RecoveryKeys -Since ${day}D`));
  }
  expect(ids.size).toBe(20);
  expect((await stage.run("alice", "Get-RecoveryKeys -Since 21d")).outcome.exitStatus).toBe(5);
  expect(await stage.ask("carol", "Get-RecoveryKeys -Since 21d")).toMatch(/^E-/);
});

test("-Wait ends with the decision, with the client, or with the request's time", async () => {
  const stage = await createStage();
  const wait = async (act: (id: string, hangUp: () => void) => Promise<unknown> | void): Promise<number> => {
    const told = Promise.withResolvers<string>();
    const client = new AbortController();
    const ran = stage.run("alice", "Get-RecoveryKeys -raw -Wait", {
      signal: client.signal,
      delivery: { tell: async (text) => told.resolve(idIn(text)) },
    });
    await act(await told.promise, () => client.abort());
    return (await ran).outcome.exitStatus;
  };
  expect(await wait((id) => stage.approve(id))).toBe(0);
  expect(await wait((id) => stage.run("dave", `Deny-Elevation ${id} -Comment no`))).toBe(8);
  expect(await wait((_, hangUp) => hangUp())).toBe(130);
  expect(
    await wait(async () => {
      stage.pass(60 * 60_000);
      await stage.elevations().sweep();
    }),
  ).toBe(6);
});
