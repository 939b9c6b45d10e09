import { expect, test } from "vitest";
import { CommandTurns } from "../../server/session/command-turns.ts";
import type { Turn } from "../../server/session/command-turns.ts";

const never = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Asks for turns of one user and notes in which order they begin. */
const stage = (most: () => number = () => 2) => {
  const turns = new CommandTurns(most);
  const begun: string[] = [];
  const held = new Map<string, Turn>();
  const note = async (name: string, taking: Promise<Turn>): Promise<void> => {
    const turn = await taking;
    begun.push(name);
    held.set(name, turn);
  };
  const ask = (name: string, user = "support", signal = never): Promise<void> =>
    note(name, turns.take({ connectedUser: user, keyFingerprint: `SHA256:${user}` }, signal));
  return { turns, begun, ask, held: (name: string) => held.get(name) };
};

test("further commands wait, and go on in the order in which they came", async () => {
  const { begun, ask, held } = stage();
  for (const name of ["a", "b", "c", "d", "e"]) void ask(name);
  await settled();
  expect(begun).toEqual(["a", "b"]);
  held("b")?.end();
  held("b")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "c"]);
  held("a")?.end();
  held("c")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
});

test("nobody waits for another user", async () => {
  const { begun, ask } = stage();
  for (const name of ["a", "b", "c", "d"]) void ask(name, "exporter");
  await ask("mine", "support");
  expect(begun).toEqual(["a", "b", "mine"]);
});

test("a wait can be cancelled, and the next one takes its place", async () => {
  const { begun, ask, held } = stage();
  void ask("a");
  void ask("b");
  const cancel = new AbortController();
  const cancelled = ask("c", "support", cancel.signal);
  void ask("d");
  cancel.abort();
  await expect(cancelled).rejects.toMatchObject({ category: "OperationStopped" });
  held("a")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "d"]);
  await expect(ask("late", "support", AbortSignal.abort())).rejects.toMatchObject({ category: "OperationStopped" });
});

test("while a command waits for its user another one runs, and it queues again afterwards", async () => {
  const { begun, ask, held } = stage(() => 1);
  await ask("a");
  void ask("b");
  held("a")?.pause();
  await settled();
  expect(begun).toEqual(["a", "b"]);
  let resumed = false;
  const resume = async (): Promise<void> => {
    await held("a")?.resume(never);
    resumed = true;
  };
  void resume();
  await settled();
  expect(resumed).toBe(false);
  held("b")?.end();
  await expect.poll(() => resumed).toBe(true);
  void ask("c");
  await settled();
  expect(begun).toEqual(["a", "b"]);
});

test("a command that ends while it pauses gives back nothing twice", async () => {
  const { begun, ask, held } = stage(() => 1);
  await ask("a");
  held("a")?.pause();
  held("a")?.end();
  await ask("b");
  void ask("c");
  await settled();
  expect(begun).toEqual(["a", "b"]);
});

test("a larger limit counts from the next end on", async () => {
  let most = 1;
  const { begun, ask, held } = stage(() => most);
  for (const name of ["a", "b", "c", "d"]) void ask(name);
  await settled();
  most = 3;
  held("a")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "c", "d"]);
});
