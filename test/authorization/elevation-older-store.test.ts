import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createStage } from "../harness/elevation-stage.ts";

const line = "Get-RecoveryKeys -raw";

/** The store as it was written when rows were counted before the request was made. */
const asBefore = (path: string, ceiling: number | undefined): void => {
  const [first = ""] = readFileSync(path, "utf8").split("\n");
  const { request, ...change } = JSON.parse(first);
  const { counts: _, ...older } = request;
  writeFileSync(path, `${JSON.stringify({ ...change, request: { ...older, ceiling } })}\n`);
};

test("a request that an older version counted keeps its rows, and is approved and used", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  await stage.restart(() => asBefore(stage.storePath, 6));
  expect((await stage.run("dave", `Approve-Elevation ${id} -Comment ok`)).message).toContain("(at most 6 rows)");
  await stage.approve(id);
  expect((await stage.run("alice", `${line} -RequestId ${id}`)).outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
});

test("and one that it counted nothing for can be approved as it could", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  await stage.restart(() => asBefore(stage.storePath, undefined));
  expect((await stage.approve(id)).outcome.exitStatus).toBe(0);
});
