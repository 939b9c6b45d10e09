/* The stories beside this file, each played on a real server with the real ssh: README.md has their words. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { play, scenesOf } from "../harness/story.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
});
afterAll(() => endpoint.end());

describe.each(globSync("*.story", { cwd: import.meta.dirname }).sort())("%s", (file) => {
  test.each(scenesOf(readFileSync(join(import.meta.dirname, file), "utf8")))("$name", async (scene) => {
    await expect(play(endpoint, scene)).resolves.toBeUndefined();
  });
});

test.each([
  ["a command that works where it must fail", "! support Get-Command", /line 2: ! support/],
  ["a command that fails", "guest No-Such", /line 2: guest/],
  ["another status", "! guest No-Such\nstatus 3", /line 3: status 3/],
  ["a word that no story has", "guess x", /line 2: guess x/],
  ["an event that is not on the record", "event disclosure", /line 2: event disclosure/],
  ["an answer that is like none", "support Get-Command\nkeep one\nsupport verify-cert\nlike one", /line 5: like one/],
])("a story can fail: %s", async (_what, lines, message) => {
  const [scene] = scenesOf(`-- fails --\n${lines}`);
  if (scene === undefined) throw new Error("no scene");
  await expect(play(endpoint, scene)).rejects.toThrow(message);
});
