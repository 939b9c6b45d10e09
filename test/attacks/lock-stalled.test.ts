/*
 * ATTACK  Hold a long answer up with Ctrl-S, or on a laptop that sleeps, until the session is locked behind it; then come back and
 *         give the code.
 * DANGER  The screen's process waits until its output is taken, the server until the process takes the news that it has the
 *         screen again: neither goes on, and the session, with whatever runs in it, is dead until its time is over.
 * EXPECT  The lock opens, and the rest of the answer follows.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../harness/endpoint.ts";
import { stageLock } from "../harness/session-lock.ts";
import { startShell } from "../session/interactive/shell.ts";

test("a session that was locked behind output nobody read goes on when it is unlocked", async () => {
  const { lock, states, code } = await stageLock();
  let sent = false;
  const shell = startShell({
    bundle: join(root, "dist", "ui", "ui.mjs"),
    dependencies: {
      idleLockMs: 4_000,
      idleTimeoutMs: 3_600_000,
      lock,
      invoke: async (_line, delivery) => {
        await delivery.show({ kind: "text", text: "a line of a long answer\n".repeat(100_000) });
        sent = true;
        return { command: "text", exitStatus: 0, rowCount: 0 };
      },
    },
  });
  await shell.sees("alice@demo");
  shell.type("text\r");
  await shell.sees("a line of a long answer");
  shell.stall();
  // Longer than it takes until it is locked; a client that reads nothing can't see when.
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  expect(sent).toBe(false);
  shell.read();
  await shell.sees("nothing was typed for long. Code: ");
  shell.type(`${code()}\r`);
  await expect.poll(() => states, { timeout: 10_000 }).toEqual(["locked", "unlocked"]);
  await expect.poll(() => sent, { timeout: 30_000 }).toBe(true);
});
