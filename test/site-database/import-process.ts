import { importRecord } from "../../server/cli/local-record.ts";
import { connectControl } from "../../server/control/control-socket.ts";
import { openRecoveryRecordWriter } from "../../server/site-database/embedded/index.ts";
import { neverStopped, passwordRecord, streamOf } from "./fixture.ts";

// Run by import.test.ts as a second process that imports the same keys at the same time.
const [, , file = "", masterKeyFile = "", controlSocket = ""] = process.argv;
const record = await connectControl(controlSocket);
if (record === undefined) throw new Error("no server answers");
const writer = openRecoveryRecordWriter({
  file,
  masterKey: { kind: "file", path: masterKeyFile },
  record: importRecord(record),
});
const records = Array.from({ length: 2000 }, (_, number) => passwordRecord(number));
await writer.importFile(streamOf(records), { onProgress: () => undefined, signal: neverStopped });
await writer.close();
await record.close();
process.disconnect?.();
