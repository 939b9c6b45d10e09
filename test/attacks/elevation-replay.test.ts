/*
 * ATTACK: an approved request is used twice, by two sessions at once, a second too late, after a restart, after its file
 *         was cut and the log's files were given old times, by another user, or with a guessed id.
 * DANGER: one approval becomes many, and what a second person allowed once is done without them.
 * EXPECT: one use, by the one who asked, within its minutes, whatever happens to the process or to the file.
 */
import { chmodSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createStage, type Stage } from "../harness/elevation-stage.ts";

const line = "Get-RecoveryKeys -raw -Format ndjson";

const approved = async (stage: Stage, user = "alice"): Promise<string> => {
  const id = await stage.ask(user, line);
  expect((await stage.approve(id)).outcome.exitStatus).toBe(0);
  return id;
};
const use = (stage: Stage, id: string, user = "alice") => stage.run(user, `${line} -RequestId ${id}`);
const counted = async (stage: Stage): Promise<void> => {
  await expect
    .poll(() => stage.events().some((event) => event.type === "elevation" && event.state === "estimated"))
    .toBe(true);
};
const consumed = (stage: Stage): number =>
  stage.events().filter((event) => event.type === "elevation" && event.state === "consumed").length;

test("the story: refused with an id, approved by another person, run once", async () => {
  const stage = await createStage();
  const refused = await stage.run("alice", line);
  expect(refused.outcome).toMatchObject({ exitStatus: 8, failure: { category: "ApprovalRequired" } });
  expect(refused.shown).toBe("");
  const id = await stage.ask("alice", line); // the same request, not a second one
  expect(refused.message).toContain(id);
  expect((await use(stage, id)).message).toContain("not decided yet");
  await counted(stage);
  await stage.approve(id);
  const ran = await use(stage, id);
  expect(ran.outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
  expect(ran.shown.trim().split("\n")).toHaveLength(6);
  const story = stage
    .events()
    .flatMap((event) =>
      event.type === "elevation" ? [event.state] : event.type === "command-started" ? [event.command] : [],
    );
  expect(story).toEqual(["requested", "estimated", "Approve-Elevation", "approved", "consumed", "Get-RecoveryKeys"]);
  expect(stage.events().find((event) => event.type === "elevation" && event.state === "consumed")).toMatchObject({
    requester: "alice",
    approver: "dave",
    comment: "ok",
    ceiling: 6,
    invocation: "Get-RecoveryKeys -raw -Format ndjson",
    connectedUser: "alice",
  });
});

test("a second use is refused and shows nothing", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  expect((await use(stage, id)).outcome.exitStatus).toBe(0);
  const again = await use(stage, id);
  expect(again).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
  expect(again.message).toContain("used already");
});

test("of two sessions that race for one approval, one runs", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  const both = await Promise.all([use(stage, id), use(stage, id), use(stage, id)]);
  expect(both.map(({ outcome }) => outcome.exitStatus).toSorted((a, b) => a - b)).toEqual([0, 8, 8]);
  expect(consumed(stage)).toBe(1);
});

test("an approval whose client hung up is used up all the same", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  const stop = new AbortController();
  stop.abort();
  await stage.run("alice", `${line} -RequestId ${id}`, { signal: stop.signal }); // the client hung up
  expect(await use(stage, id)).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
});

test.each([
  [14 * 60_000 + 59_000, 0],
  [15 * 60_000, 8],
  [15 * 60_000 + 1_000, 8],
])("%i ms after the approval its use ends with %i", async (ms, exitStatus) => {
  const stage = await createStage();
  const id = await approved(stage);
  stage.pass(ms);
  expect((await use(stage, id)).outcome.exitStatus).toBe(exitStatus);
});

test("a request that is over can't be approved", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  stage.pass(60 * 60_000);
  expect((await stage.approve(id)).outcome.exitStatus).toBe(4);
  await stage.elevations().sweep(); // as its own timer does
  expect(stage.events().filter((event) => event.type === "elevation" && event.state === "expired")).toHaveLength(1);
});

test("a request of another user, and one that does not exist, are answered alike", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  const answers = [await use(stage, id, "carol"), await use(stage, "E-0000000000", "carol")];
  expect(new Set(answers.map(({ message }) => message))).toEqual(new Set(["You have no such request."]));
  expect(answers.map(({ outcome }) => outcome.exitStatus)).toEqual([8, 8]);
  expect((await stage.run("carol", `Get-Elevation ${id}`)).outcome.exitStatus).toBe(3);
  expect((await use(stage, id)).outcome.exitStatus).toBe(0); // and alice lost nothing by it
});

test("the same user with another key can't use it", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  const other = await stage.run("alice", `${line} -RequestId ${id}`, { key: "SHA256:second" });
  expect(other).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
});

test("a restart between approval and use leaves one use, and between two uses none", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  await stage.restart();
  expect((await use(stage, id)).outcome.exitStatus).toBe(0);
  await stage.restart();
  expect((await use(stage, id)).outcome.exitStatus).toBe(8);
});

test("a pending request is there after a restart", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  await counted(stage);
  await stage.restart();
  await stage.approve(id);
  expect((await use(stage, id)).outcome.exitStatus).toBe(0);
});

const cutOffLast = (storePath: string): void => {
  const lines = readFileSync(storePath, "utf8").split("\n");
  writeFileSync(storePath, `${lines.slice(0, -2).join("\n")}\n`);
};

test("a store whose end was cut off does not bring a used approval back: the log knows", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  await use(stage, id);
  await stage.restart(() => cutOffLast(stage.storePath));
  expect(await use(stage, id)).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
});

test("nor does it where the log's files have the times of last year, which is no line of theirs", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  await use(stage, id);
  await stage.restart(() => {
    cutOffLast(stage.storePath);
    const log = join(stage.directory, "log");
    for (const name of readdirSync(log)) utimesSync(join(log, name), 1, 1);
  });
  expect(await use(stage, id)).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
});

test("a torn last line is cut off, as it was never acknowledged", async () => {
  const stage = await createStage();
  const id = await approved(stage);
  await stage.restart(() => writeFileSync(stage.storePath, '{"previous":"', { flag: "a" }));
  expect((await use(stage, id)).outcome.exitStatus).toBe(0);
  expect(readFileSync(stage.storePath, "utf8").endsWith("\n")).toBe(true);
});

test.each<readonly [string, (path: string) => void, RegExp]>([
  ["written by the group", (path) => chmodSync(path, 0o620), /group or others may write it/],
  [
    "changed",
    (path) => writeFileSync(path, readFileSync(path, "utf8").replace('"pending"', '"denied"')),
    /was changed/,
  ],
  [
    "with a line taken out",
    (path) => writeFileSync(path, readFileSync(path, "utf8").replace(/^.*\n/, "")),
    /was changed/,
  ],
  ["truncated at the front", (path) => truncateSync(path, 5), /^$/],
  ["of other things", (path) => writeFileSync(path, "nonsense\n"), /can't be read at line 1/],
])("a store that is %s is refused, or grants nothing", async (_, tamper, why) => {
  const stage = await createStage();
  const id = await approved(stage);
  const started = await stage
    .restart(() => tamper(stage.storePath))
    .then(
      () => "",
      (error: unknown) => String(error instanceof Error ? error.message : error),
    );
  expect(started).toMatch(why);
  if (started === "") expect((await use(stage, id)).outcome.exitStatus).toBe(8);
});
