import { keepCompiled } from "../harness/compile-cache.ts";
import { renew, retire } from "./renewal.ts";

// Run as a process that ends where it is told to, as a power cut would end it: it says so, and then stands still until it is killed.
keepCompiled();
const [, , file = "", masterKeyFile = "", backupDirectory = "", recorded = "", what = "", at = ""] = process.argv;
const stand = (): void => {
  process.send?.("there");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
let pages = 0;
const options = {
  recorded: JSON.parse(recorded),
  record: async ({ step }: { readonly step: string }) => {
    if (step !== at) return;
    // The message has to be away before the process stands still.
    await new Promise((resolve) => process.send?.("there", resolve));
    await new Promise(() => setInterval(() => undefined, 1000));
  },
  onProgress: () => {
    pages += 1;
    if (`page ${pages}` === at) stand();
  },
};
const places = { file, masterKeyFile, backupDirectory };
await (what === "retire" ? retire(places, options) : renew(places, options));
