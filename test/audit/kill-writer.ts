/**
 * A writer of logs to be killed: appends events to several records at once, and prints the reason of each one once it is
 * durable. Arguments: a prefix for the reasons, the log key's file, the data directories.
 */
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openRecord } from "../../server/audit/open-record.ts";
import { keepCompiled } from "../harness/compile-cache.ts";
import { testRuntime } from "../harness/runtime.ts";

keepCompiled();
const [prefix = "", keyFile = "", ...directories] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile));

const write = async (dataDirectory: string, index: number): Promise<void> => {
  const record = await openRecord({
    server: "pep-1",
    directory: join(dataDirectory, "audit"),
    key,
    runtime: testRuntime(),
    segmentBytes: 20_000,
    checkpointEvents: 20,
  });
  const session = async (worker: number): Promise<never> => {
    for (let count = 0; ; count += 1) {
      const reason = `${index} ${prefix}.${worker}.${count}`;
      await record.append({ type: "server-stopped", reason });
      // Not by a stream: what a kill leaves in its buffer was acknowledged and would not be seen.
      writeSync(1, `${reason}\n`);
    }
  };
  await Promise.all([session(0), session(1), session(2)]);
};
await Promise.all(directories.map(write));
