/**
 * `node record-code.ts FOLDER`, by `build.ts`: starts the server that was built into FOLDER/dist on a demo of its own, ends it
 * when it listens, and keeps what V8 compiled on the way. So `pep.code` has what a start runs and little else: reading all of the
 * bundle compiled would take longer than compiling what is wanted.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sealCode } from "./server/bundle/code.ts";
import { loadBundle } from "./server/bundle/load.ts";

const built = join(process.argv[2] ?? "", "dist", "server");
const directory = mkdtempSync(join(tmpdir(), "pep-build-"));
try {
  const dataDirectory = join(directory, "demo");
  const where = ["--demo", "--data-dir", dataDirectory];
  execFileSync(process.execPath, [join(built, "main.js"), "init", ...where], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const endpoint = join(dataDirectory, "endpoint.json");
  // No UI processes: nothing of them is recorded.
  writeFileSync(endpoint, JSON.stringify({ ...JSON.parse(readFileSync(endpoint, "utf8")), spareUiProcesses: 0 }));
  process.argv = ["node", "pep", "serve", ...where, "--listen", "127.0.0.1:0"];
  let said = "";
  const listen = (text: string | Uint8Array): boolean => {
    said += String(text);
    if (String(text).startsWith("listening on ")) process.emit("SIGTERM");
    return true;
  };
  process.stdout.write = listen;
  process.stderr.write = listen;
  const bundle = loadBundle(built);
  await bundle.run();
  if (process.exitCode !== 0) throw new Error(`the built server did not start: ${said}`);
  writeFileSync(join(built, "pep.code"), sealCode(bundle.source, bundle.script.createCachedData()));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
