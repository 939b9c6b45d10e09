import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openEventLog } from "../../server/audit/event-log.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

// ATTACK   Remove the log's file, or put another in its place, while the server runs.
// DANGER   The server goes on writing into a file that nobody can find: keys are shown, and no record of it is left.
// EXPECT   The next event is refused, so nothing runs and nothing is shown.
test.each([
  ["removed", (path: string) => rmSync(path)],
  [
    "exchanged",
    (path: string) => {
      renameSync(path, `${path}.elsewhere`);
      writeFileSync(path, "");
    },
  ],
])("a log file that was %s takes no more events", async (_, damage) => {
  const directory = join(temporaryDirectory(), "log");
  mkdirSync(directory);
  const log = await openEventLog({
    server: "pep-1",
    directory,
    runtime: testRuntime(),
  });
  await log.append({ type: "server-stopped", reason: "before" });
  damage(join(directory, "000000000001.ndjson"));
  await expect(log.append({ type: "server-stopped", reason: "after" })).rejects.toMatchObject({
    category: "AuditUnavailable",
  });
  await log.close();
});
