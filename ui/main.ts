// First, before any other module runs: see there.
// oxlint-disable-next-line import/no-unassigned-import -- a call from here would come after all imports have run
import "./drop-privileges.ts";
// oxlint-disable-next-line import/no-unassigned-import -- as above
import "./give-up-powers.ts";
import process from "node:process";
import { rehearse } from "./rehearse.ts";
import { serveFrames } from "./serve-frames.ts";

/** The name and places of a failure, never its message: that may quote what somebody typed, and this goes to a log. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return "not an Error";
  const stack = error.stack ?? "";
  return error.name + stack.slice(stack.indexOf(error.message) + error.message.length);
};

let leaving = false;
/** Ink unmounts its instances on the way out, which must not count as another failure. */
const leave = (exitCode: number): void => {
  if (leaving) return;
  leaving = true;
  process.exit(exitCode);
};

/** A fresh process takes over: the server opens every session of this one again. */
const fail = (error: unknown): void => {
  if (!leaving) process.stderr.write(`ui: ${describe(error)}\n`);
  leave(70);
};

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

const { stdin, stdout } = process;
// The server is gone.
stdout.on("error", () => leave(0));
stdin.on("error", () => leave(0));
stdin.on("end", () => leave(0));

const colors = process.env["FORCE_COLOR"] ?? "0";
const look = {
  color: colors !== "0" && colors !== "false",
  onLost: () => fail(new Error("a screen was lost")),
};
let somebodyIsHere = false;
const receive = serveFrames({
  write: (frames) => {
    if (stdout.write(frames)) return;
    // The server reads slowly: take no more from it until it has read.
    stdin.pause();
    stdout.once("drain", () => stdin.resume());
  },
  clock: {
    now: () => performance.now(),
    after: (delayMs, run) => {
      const timer = setTimeout(() => {
        try {
          run();
        } catch (error) {
          fail(error);
        }
      }, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
  },
  ...look,
  onOpen: () => {
    somebodyIsHere = true;
  },
});
void rehearse(look, () => !somebodyIsHere); // a rejection ends the process, as any failure of its own

stdin.on("data", (chunk: Buffer) => {
  try {
    receive(chunk);
  } catch (error) {
    fail(error);
  }
});
