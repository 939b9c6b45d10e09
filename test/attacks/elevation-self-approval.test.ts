/*
 * ATTACK: one person approves their own request: from a second session, under a second user name with the same key, or by
 *         being told of requests they may not see.
 * DANGER: two-person approval that one person can give.
 * EXPECT: refused, on the record, and the request stays pending.
 */
import { expect, test } from "vitest";
import { createStage } from "../harness/elevation-stage.ts";

const line = "Get-RecoveryKeys -raw";

test("one's own request can't be approved from a second session, and is not among those to decide", async () => {
  const stage = await createStage();
  const id = await stage.ask("bob", line); // bob has the approver role too
  const own = await stage.approve(id, "bob");
  expect(own.outcome.exitStatus).toBe(2);
  expect(own.message).toContain("your own request");
  expect((await stage.run("bob", `Deny-Elevation ${id} -Comment x`)).outcome.exitStatus).toBe(2);
  expect((await stage.run("bob", `${line} -RequestId ${id}`)).outcome.exitStatus).toBe(8);
  const finished = stage.events().filter((event) => event.type === "command-finished");
  expect(finished[0]).toMatchObject({ command: "Approve-Elevation", outcome: "failed" });
});

test("nor under a second user name with the same key", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  const second = await stage.run("dave", `Approve-Elevation ${id} -Comment ok -Confirm`, { key: "SHA256:alice" });
  expect(second.outcome.exitStatus).toBe(2);
  expect(second.message).toContain("made with the key that you are logged in with");
  const seen = await stage.run("dave", "Get-Elevation -Format json", { key: "SHA256:alice" });
  expect(JSON.parse(seen.shown)).toEqual([]);
  expect((await stage.run("alice", `${line} -RequestId ${id}`)).outcome.exitStatus).toBe(8);
});

test("the approver's commands do not exist for who is no approver", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  for (const user of ["alice", "carol", "eve"]) {
    const tried = await stage.approve(id, user);
    expect(tried.outcome.exitStatus).toBe(127);
    expect(tried.message).toBe((await stage.run(user, "Approve-Nothing")).message);
  }
});

test("who sees what: the requester their own, an approver what is pending, another requester nothing", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  const seenBy = async (user: string): Promise<unknown[]> =>
    JSON.parse((await stage.run(user, "Get-Elevation -Format json")).shown).map(
      (row: Record<string, unknown>) => row["RequestId"],
    );
  expect([await seenBy("alice"), await seenBy("carol"), await seenBy("dave")]).toEqual([[id], [], [id]]);
  await stage.run("dave", `Deny-Elevation ${id} -Comment 'no ticket'`);
  expect([await seenBy("alice"), await seenBy("dave")]).toEqual([[id], []]);
  expect((await stage.run("alice", `${line} -RequestId ${id}`)).message).toContain("denied by dave: no ticket");
});

test("a script must say -Confirm, and reads what it would confirm; at a prompt the switch is worth nothing", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  const unread = await stage.run("dave", `Approve-Elevation ${id} -Comment ok`);
  expect(unread.outcome.exitStatus).toBe(2);
  expect(unread.message).toContain("let alice run: Get-RecoveryKeys -raw (at most 6 rows). Add -Confirm");
  const questions: string[] = [];
  const screen = (answer: boolean) => ({
    delivery: {
      how: "interactive" as const,
      confirm: async (question: string) => {
        questions.push(question);
        return answer;
      },
    },
  });
  const no = await stage.run("dave", `Approve-Elevation ${id} -Comment ok -Confirm`, screen(false));
  expect(no.outcome.exitStatus).toBe(130);
  expect((await stage.run("alice", `${line} -RequestId ${id}`)).outcome.exitStatus).toBe(8);
  expect((await stage.run("dave", `Approve-Elevation ${id} -Comment ok`, screen(true))).outcome.exitStatus).toBe(0);
  expect(questions).toHaveLength(2);
  expect(questions[0]).toBe(
    "Let alice run, once: Get-RecoveryKeys -raw (at most 6 rows); reason: none given. Approve?",
  );
});

test("of two approvers who decide at once, one does", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  const both = await Promise.all([stage.approve(id, "dave"), stage.run("bob", `Deny-Elevation ${id} -Comment no`)]);
  expect(both.map(({ outcome }) => outcome.exitStatus).toSorted((a, b) => a - b)).toEqual([0, 4]);
});
