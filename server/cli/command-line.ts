import { EndpointError, failures } from "../errors.ts";
import type { Io } from "./io.ts";
import type { Signals } from "./serve.ts";
import { defaultDataDirectory, subcommands } from "./subcommands.ts";

const usage = `pep: a privileged endpoint for BitLocker recovery keys, over SSH

${Object.values(subcommands)
  .map(({ summary }) => `  ${summary}`)
  .join("\n")}

pep COMMAND --help says more. DIR is ${defaultDataDirectory} when it is not given.
`;

/** Runs `pep ARGUMENTS`. A failure is one line on standard error and the exit status of its category. */
export const runCommandLine = async (args: readonly string[], io: Io, signals: Signals): Promise<number> => {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? io.stderr : io.stdout).write(usage);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version") {
    io.stdout.write(`pep ${io.version}\n`);
    return 0;
  }
  try {
    const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
    if (subcommand === undefined) {
      throw new EndpointError("InvalidArgument", `pep has no command "${name}". pep --help lists them.`);
    }
    if (rest.includes("--help") || rest.includes("-h")) {
      io.stdout.write(subcommand.usage);
      return 0;
    }
    return await subcommand.run(rest, io, signals);
  } catch (error) {
    // A local administrator reads this, not a connected user: the cause may be shown.
    if (error instanceof Error && "code" in error && "syscall" in error) {
      // The operating system said no: nobody's bug, and its words name what and where.
      io.stderr.write(`pep ${name}: ${error.message}\n`);
      return failures.ResourceUnavailable.exitStatus;
    }
    const known = error instanceof EndpointError;
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    io.stderr.write(`pep ${name}: ${error instanceof Error ? error.message : String(error)}${known ? cause : ""}\n`);
    return known ? error.exitStatus : 70;
  }
};
