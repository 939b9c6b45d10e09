import { existsSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { runCommandLine } from "./cli/command-line.ts";
import type { Io } from "./cli/io.ts";

const findPackageRoot = (from: string): string => {
  const root = existsSync(join(from, "package.json")) ? from : dirname(from);
  return root === from || dirname(root) === root ? root : findPackageRoot(root);
};

const readVersion = (packageRoot: string): string => {
  const description: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  return typeof description === "object" && description !== null && "version" in description
    ? String(description.version)
    : "unknown";
};

const stop = new AbortController();
let over = false;

/** As if nobody listened to the signal: what hangs in a system call, a thread or a reader that takes nothing, does not hold this up. */
const endBy = (signal: NodeJS.Signals): void => {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
};
/** After its work a stopped program has so long to end by itself. */
const endsWithinMs = 500;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    // Nothing is left to be ended in order; or asked twice by hand: don't wait for the drain.
    if (over || (stop.signal.aborted && signal === "SIGINT")) endBy(signal);
    else stop.abort(signal);
  });
}

/** Opened when first asked for: a server's standard input is nobody's. */
const createLines = (): Io["stdin"] => {
  let opened: { readonly source: Interface; readonly lines: AsyncIterator<string> } | undefined;
  return {
    get isTTY() {
      return process.stdin.isTTY;
    },
    async readLine() {
      if (opened === undefined) {
        const source = createInterface({ input: process.stdin });
        opened = { source, lines: source[Symbol.asyncIterator]() };
      }
      const next = await opened.lines.next();
      return next.done === true ? undefined : next.value;
    },
    async readHidden() {
      if (!process.stdin.isTTY) return this.readLine();
      const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
      const source = createInterface({ input: process.stdin, output: nowhere, terminal: true });
      source.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
      const { promise, resolve: answer } = Promise.withResolvers<string | undefined>();
      source.once("line", answer).once("close", () => answer(undefined));
      stop.signal.addEventListener("abort", () => source.close(), { once: true });
      try {
        return await promise;
      } finally {
        source.close();
      }
    },
    async *readBytes() {
      for await (const chunk of process.stdin) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    },
    close: () => opened?.source.close(),
  };
};

// A reader that has seen enough (`pep audit list | head`) is no failure of ours; a server writes to no pipe that ends before it.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(process.exitCode ?? 0);
});

const packageRoot = findPackageRoot(resolve(import.meta.dirname));
const io: Io = {
  stdout: { write: (text) => void process.stdout.write(text) },
  stderr: {
    isTTY: process.stderr.isTTY,
    columns: process.stderr.columns,
    write: (text) => void process.stderr.write(text),
  },
  stdin: createLines(),
  localUser: userInfo().username,
  hostName: hostname(),
  packageRoot,
  version: readVersion(packageRoot),
  credentialsDirectory: process.env["CREDENTIALS_DIRECTORY"],
  now: () => new Date(),
  uptimeMs: () => performance.now(),
  report: (problem) => void process.stderr.write(`pep: ${problem}\n`),
};

const run = async (): Promise<void> => {
  process.exitCode = await runCommandLine(process.argv.slice(2), io, {
    onReload: (reload) => void process.on("SIGHUP", reload),
    stop: stop.signal,
  });
  over = true;
  // A server ends with 0 however long its last connections take; a second signal ends it as it is.
  if (stop.signal.aborted && process.exitCode !== 0) setTimeout(endBy, endsWithinMs, stop.signal.reason).unref();
};

/** Awaited by bundle/start.ts: a bundle of the kind that V8 keeps compiled code for can't await at its top. */
export const finished = run();
