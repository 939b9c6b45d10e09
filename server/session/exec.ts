import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EndpointError, failures, stopped } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { ExecRequest, PseudoTerminal, SessionChannel } from "./contract.ts";
import { given } from "../command/given.ts";
import type { Answer, Delivery, Invoke, Outcome } from "./delivery.ts";
import { encodeAnswer, notForTerminal } from "./format/encode.ts";
import { transcriptPieces } from "./format/transcript-pieces.ts";
import { takePassword } from "./ask-password.ts";
import { LineReader, type Typed } from "./interactive/line-reader.ts";
import { orStopped } from "../or-stopped.ts";
import { printableLines } from "../model/harmless-text.ts";

/** Rows disclosed by one event of the record: large enough that an export is not bound by fsync, small enough to stop. */
const bulkRows = 1024;
/** A script's terminal width: wide enough that a table never turns into a list because of where it was run. */
const unlimitedWidth = 10_000;

const text = new TextEncoder();

/** A terminal's client is in raw mode: it gets CR LF (`ssh -tt host command`). */
const toLines = (value: string, terminal: PseudoTerminal | undefined): Uint8Array =>
  text.encode(terminal === undefined ? value : value.replace(/\r?\n/g, "\r\n"));

/**
 * The client's standard input: the password, when a command asks for it, and on a terminal Ctrl-C.
 * Reading starts at once where there is a terminal, else only when asked, so that a script's input is left alone.
 */
const createInput = (channel: SessionChannel, terminal: PseudoTerminal | undefined, stop: () => void) => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const reader = new LineReader({ terminal: terminal !== undefined, write: () => undefined, onInterrupt: stop });
  let reading = false;
  const pump = async (): Promise<void> => {
    for await (const chunk of channel.input) await reader.feed(decoder.decode(chunk, { stream: true }));
    reader.end();
  };
  const start = (): void => {
    if (reading) return;
    reading = true;
    pump().catch(() => reader.end()); // the channel is gone: its `closed` signal tells everybody
  };
  if (terminal !== undefined) start();
  return {
    async line(signal: AbortSignal): Promise<Typed> {
      start();
      return orStopped(reader.read("none"), signal);
    },
  };
};

const noPassword = (): EndpointError =>
  new EndpointError(
    "InvalidArgument",
    "This command needs a password: give it as the first line of standard input, or log in without a command to be asked for it.",
  );

/** What is told of a failure. Who stopped the command says why: a shutdown, or rights that went away. */
const failureOf = ({ failure }: Outcome, { reason }: AbortSignal): Outcome["failure"] => {
  if (failure?.category !== "OperationStopped") return failure;
  if (typeof reason === "string") return { ...failure, message: reason };
  return reason instanceof EndpointError ? reason : failure;
};

/**
 * Runs one command line for a script: data on standard output, everything else on standard error.
 *
 * @returns the exit status to send, and the collection that was sent whole
 */
export const serveExec = async (
  invoke: Invoke,
  { commandLine, terminal }: Pick<ExecRequest, "commandLine" | "terminal">,
  channel: SessionChannel,
  shutdown: AbortSignal,
): Promise<Pick<Outcome, "exitStatus" | "collected">> => {
  const interrupted = new AbortController();
  const signal = AbortSignal.any([channel.closed, interrupted.signal, shutdown]);
  const input = createInput(channel, terminal, () => interrupted.abort());

  const show = async (answer: Answer): ReturnType<Delivery["show"]> => {
    const digest = createHash("sha256");
    let sentBytes = 0;
    const width = terminal?.columns ?? unlimitedWidth;
    if (answer.kind === "bytes" && terminal !== undefined) throw notForTerminal();
    const pieces =
      answer.kind === "bytes"
        ? answer.chunks
        : answer.kind === "transcript"
          ? transcriptPieces(answer, terminal !== undefined)
          : encodeAnswer(answer, { width, terminal: terminal !== undefined });
    for await (const piece of pieces) {
      if (piece.length === 0) continue;
      signal.throwIfAborted();
      const bytes = typeof piece === "string" ? toLines(piece, terminal) : piece;
      digest.update(bytes);
      sentBytes += bytes.length;
      await orStopped(channel.write(bytes), signal); // a client that reads nothing must not keep a command from being stopped
      await nextTurn(); // an export must not keep other users' keystrokes waiting
    }
    return { sentBytes, sentDigest: digest.digest("hex") };
  };

  const askPassword: Delivery["askPassword"] = async (prompt, purpose) => {
    const ask = async (question: string): Promise<string | undefined> => {
      if (terminal !== undefined) await channel.write(text.encode(`${question}: `));
      const typed = await input.line(signal);
      if (terminal !== undefined) await channel.write(text.encode("\r\n"));
      if (typed.kind === "interrupt") throw stopped();
      if (typed.kind === "too-long") return undefined;
      if (typed.kind === "end" || typed.text === "") throw noPassword();
      return typed.text;
    };
    const say = (problem: string): Promise<void> => channel.write(text.encode(`${problem}\r\n`));
    const taken = await takePassword(prompt, purpose, { isPerson: terminal !== undefined, ask, say });
    if ("problem" in taken) throw new EndpointError("InvalidArgument", taken.problem);
    return new Secret(taken.password);
  };

  const outcome = await invoke(
    // plink -m sends a file, which begins with a byte order mark where an editor of Windows saved it.
    commandLine.replace(/^\ufeff/, ""),
    {
      how: "exec",
      batchRows: () => bulkRows,
      reveal: (key) => key,
      // A script names what it wants; its role limits how much that may be.
      confirmBulk: async () => true,
      confirm: async () => false,
      tell: (message) => channel.writeError(toLines(`${printableLines(message)}\n`, terminal)),
      askPassword,
      show,
    },
    signal,
  );
  const failure = failureOf(outcome, shutdown);
  if (failure !== undefined && !channel.closed.aborted) {
    const line = `${failure.category}: ${printableLines(failure.message)}\n`;
    await channel.writeError(toLines(line, terminal)).catch(() => undefined); // who hung up needs no message
  }
  return {
    exitStatus: failure === undefined ? outcome.exitStatus : failures[failure.category].exitStatus,
    ...given({ collected: outcome.collected }),
  };
};
