import { openRecoveryRecordWriter } from "../../server/site-database/embedded/index.ts";
import { neverStopped, passwordRecord, streamOf } from "./fixture.ts";

// Run by import.test.ts as a second process that imports the same keys at the same time.
const [, , file = "", masterKeyFile = ""] = process.argv;
const writer = openRecoveryRecordWriter({ file, masterKey: { kind: "file", path: masterKeyFile } });
const records = Array.from({ length: 2000 }, (_, number) => passwordRecord(number));
await writer.importFile(streamOf(records), { onProgress: () => undefined, signal: neverStopped });
await writer.close();
process.disconnect?.();
