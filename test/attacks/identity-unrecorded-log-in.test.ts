/*
 * ATTACK  The disk is full, or the log fails for another reason, while somebody logs in.
 * DANGER  A session that is on no record.
 * EXPECT  The log-in is refused; refusals that can't be recorded stop nothing else.
 */
import { expect, test } from "vitest";
import { logIn, stillServes } from "../harness/ssh-attacker.ts";
import { type TestServer, startTestServer } from "../harness/ssh-attacker-server.ts";

test("a log-in that can't be recorded is refused", async () => {
  let failing: "authentication" | "connection-opened" | undefined = "authentication";
  const it = await startTestServer(undefined, {
    append: (event) => (event.type === failing ? Promise.reject(new Error("disk full")) : Promise.resolve()),
  });
  await expect(refusedLogin(it)).resolves.toBe(true);
  failing = "connection-opened";
  await expect(refusedLogin(it)).resolves.toBe(true);
  expect(it.server.connections()).toEqual([]);
  expect(it.problems).toEqual(expect.arrayContaining([expect.stringContaining("disk full")]));
  failing = undefined;
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});

const refusedLogin = async (it: TestServer): Promise<boolean> => {
  const attempt = logIn(it.port, "support", it.key.privateKey).then(
    () => "in",
    (error: unknown) => String(error),
  );
  return /authentication methods failed/.test(await attempt);
};
