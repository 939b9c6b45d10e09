import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { rescueSpaceIn } from "../../server/audit/rescue-space.ts";
import { watchStorage } from "../../server/audit/storage-ladder.ts";
import { EndpointError } from "../../server/errors.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

const MiB = 1024 * 1024;

const startLadder = () => {
  const disk = { free: 1000 * MiB, takesEvents: true, readable: true };
  const events: AuditEvent[] = [];
  const problems: string[] = [];
  let recovered = 0;
  const ladder = watchStorage({
    reserveBytes: 100 * MiB,
    freeBytes: () => {
      if (!disk.readable) throw new Error("EIO");
      return disk.free;
    },
    log: {
      append: async (event) => {
        if (!disk.takesEvents) throw new EndpointError("AuditUnavailable", "full");
        events.push(event);
      },
    },
    runtime: testRuntime({
      now: () => new Date("2026-11-22T10:00:00Z"),
      report: (problem) => problems.push(problem),
    }),
    onSufficient: () => (recovered += 1),
  });
  onTestFinished(() => ladder.close());
  const states = (): string[] => events.map((event) => (event.type === "storage" ? event.state : event.type));
  return { disk, events, problems, ladder, states, recoveries: () => recovered };
};

test("each rung has its state, its event and a word to the operator; climbing back is automatic", async () => {
  const { disk, events, problems, ladder, states, recoveries } = startLadder();
  expect(ladder.look()).toBe("sufficient");
  disk.free = 99 * MiB;
  expect(ladder.look()).toBe("low");
  expect(ladder.exhausted.aborted).toBe(false);
  disk.free = 49 * MiB;
  expect(ladder.look()).toBe("exhausted");
  const { exhausted } = ladder;
  expect(exhausted.reason).toMatchObject({ category: "AuditUnavailable" });
  disk.free = 500 * MiB;
  expect(ladder.look()).toBe("sufficient");
  expect(ladder.exhausted.aborted).toBe(false);
  await expect.poll(states).toEqual(["low", "exhausted", "sufficient"]);
  expect(events[0]).toEqual({
    type: "storage",
    state: "low",
    since: "2026-11-22T10:00:00.000Z",
    freeBytes: 99 * MiB,
    reserveBytes: 100 * MiB,
  });
  expect(problems).toEqual([
    "the record's free space is 99 MiB, its reserve 100 MiB: no session starts until there is more",
    "the record's free space is 49 MiB, its reserve 100 MiB: running sessions were ended and none starts",
    "the record's free space is 500 MiB, its reserve 100 MiB: sessions start again",
  ]);
  expect(recoveries()).toBe(1);
});

test("space that comes and goes around a rung does not flap", () => {
  const { disk, problems, ladder } = startLadder();
  const seen = [99, 101, 99, 109, 111, 101, 99, 49, 51, 54, 56, 51].map((free) => {
    disk.free = free * MiB;
    return ladder.look();
  });
  const [good, low, none] = ["sufficient", "low", "exhausted"];
  expect(seen).toEqual([low, low, low, low, good, good, low, none, none, none, low, low]);
  expect(problems).toHaveLength(5);
});

test("what a full disk could not take is on the record once there is room, with the time it happened", async () => {
  const { disk, ladder, states } = startLadder();
  disk.takesEvents = false;
  disk.free = 0;
  expect(ladder.look()).toBe("exhausted");
  await Promise.resolve();
  expect(states()).toEqual([]);
  disk.takesEvents = true;
  disk.free = 500 * MiB;
  await expect.poll(() => (ladder.look(), states())).toEqual(["exhausted", "sufficient"]);
});

test("where free space can't be told, nothing new begins and what runs goes on", () => {
  const { disk, ladder, problems } = startLadder();
  disk.readable = false;
  expect([ladder.look(), ladder.look()]).toEqual(["low", "low"]);
  expect(ladder.exhausted.aborted).toBe(false);
  expect(problems).toEqual([
    "the record's free space can't be read: Error: EIO",
    "the record's free space can't be read, its reserve 100 MiB: no session starts until there is more",
  ]);
});

test("space for rescue is really taken, for its owner only, and given up once", () => {
  const directory = temporaryDirectory();
  const space = rescueSpaceIn(directory);
  space.make(48 * MiB);
  const { size, blocks, mode } = statSync(join(directory, "rescue-space"));
  expect(size).toBe(3 * MiB);
  expect(blocks * 512).toBeGreaterThanOrEqual(3 * MiB);
  expect(mode & 0o777).toBe(0o600);
  expect([space.giveUp(), space.giveUp()]).toEqual([true, false]);
});
