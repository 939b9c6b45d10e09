import { enableCompileCache, flushCompileCache, getCompileCacheDir } from "node:module";
import { join } from "node:path";

/*
 * Threads (server/start-thread.ts) and some processes of tests run the source: compiling it takes each of them a third of a second of a
 * processor. So Node keeps what it compiled. It holds each file's own digest against that, so it is right after any change.
 */
enableCompileCache(join(import.meta.dirname, "..", "..", "node_modules", ".cache", "pep-tests"));

/** For a process of the source. */
export const withCompileCache = (): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_COMPILE_CACHE: getCompileCacheDir(),
});

/** For a process that will be killed, and so writes at no end what it compiled. */
export const keepCompiled = (): void => flushCompileCache();
