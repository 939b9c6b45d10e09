/*
 * ATTACK  An auditor with something to hide asks for the sessions of the whole record again and again, and pages or reads no
 *         further.
 * DANGER  Each holds one of the few threads that read the record: nobody else can list a session or verify the log.
 * EXPECT  One auditor holds at most half of them. The others work on.
 */
import { expect, test } from "vitest";
import { createReviewStage, sessionEvents } from "../harness/review-stage.ts";
import type { Answer } from "../../server/session/delivery.ts";

const roles = JSON.stringify({
  roleCapabilities: { some: { visibleCommands: ["Get-Session", "Test-AuditLog"] } },
  roleDefinitions: {
    "user:auditor": { roleCapabilities: ["some"] },
    "user:mallory": { roleCapabilities: ["some"] },
  },
});

test("one auditor who stops reading keeps no other from the record", async () => {
  const stage = await createReviewStage({ roles });
  for (let count = 0; count < 3; count += 1) {
    for (const event of sessionEvents("bob")) await stage.record.append(event);
  }
  const stop = new AbortController();
  const stuck = Promise.withResolvers<void>();
  let held = 0;
  const show = async (answer: Answer): Promise<Record<string, never>> => {
    if (answer.kind !== "rows") return {};
    for await (const _ of answer.batches) {
      held += 1;
      await stuck.promise;
    }
    return {};
  };
  const asked = Array.from({ length: 6 }, () =>
    stage.run("mallory", "Get-Session", {
      delivery: { how: "interactive", batchRows: () => 1, show },
      signal: stop.signal,
    }),
  );
  await expect.poll(() => held, { timeout: 20_000 }).toBe(2);
  const refused = await Promise.race(asked);
  expect(refused.outcome).toMatchObject({ exitStatus: 5 });
  expect(refused.message).toContain("2 reviews of the whole record");
  expect((await stage.run("auditor", "Get-Session -Format ndjson")).outcome.exitStatus).toBe(0);
  expect((await stage.run("auditor", "Test-AuditLog")).outcome.exitStatus).toBe(0);
  stop.abort();
  stuck.resolve();
  await Promise.all(asked);
  // What was held is given back.
  expect((await stage.run("mallory", "Test-AuditLog")).outcome.exitStatus).toBe(0);
});
