import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { constants, Script } from "node:vm";
import { openCode } from "./code.ts";

export interface Bundle {
  readonly source: Buffer;
  readonly script: Script;
  /** Runs the program; resolves when it is over. */
  run(): Promise<void>;
}

/** What build.ts makes of `server/main.ts`. */
type Program = (require: NodeJS.Require, filename: string, dirname: string) => { readonly finished: Promise<void> };

const readCode = (source: Buffer, file: string): Buffer | undefined => {
  try {
    return openCode(source, readFileSync(file));
  } catch {
    return undefined; // made by the build for one kind of processor; without it a start is only slower
  }
};

/** Reads and compiles the bundle in `folder`, or takes its compiled code. */
export const loadBundle = (folder: string): Bundle => {
  const file = join(folder, "pep.cjs");
  const source = readFileSync(file);
  const cachedData = readCode(source, join(folder, "pep.code"));
  // The build writes ASCII only: as latin1 it is copied, not decoded.
  const script = new Script(source.toString("latin1"), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  return {
    source,
    script,
    async run() {
      const program = script.runInThisContext() as Program; // build.ts wraps it so
      await program(createRequire(file), file, folder).finished;
    },
  };
};
