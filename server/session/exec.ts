import { createHash } from "node:crypto";
import { EndpointError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { PseudoTerminal, SessionChannel } from "./contract.ts";
import type { Answer, Delivery, Invoke } from "./delivery.ts";
import { encodeAnswer } from "./format/encode.ts";
import { printable } from "./printable.ts";

/** Rows disclosed by one event of the record: large enough that an export is not bound by fsync, small enough to stop. */
const bulkRows = 512;
/** A script's terminal width: wide enough that a table never turns into a list because of where it was run. */
const unlimitedWidth = 10_000;
const maximumPasswordBytes = 1024;
const interrupt = 0x03;

const text = new TextEncoder();

/** A terminal's client is in raw mode: it gets CR LF (facts: `ssh -tt host command`). */
const toLines = (value: string, terminal: PseudoTerminal | undefined): Uint8Array =>
  text.encode(terminal === undefined ? value : value.replace(/\r?\n/g, "\r\n"));

/**
 * Reads the client's standard input: the password, when a command asks for it, and on a terminal Ctrl-C.
 * Reading starts at once where there is a terminal, else only when asked, so that a script's input is left alone.
 */
const createInput = (channel: SessionChannel, terminal: PseudoTerminal | undefined, stop: () => void) => {
  let buffered = Buffer.alloc(0);
  let ended = false;
  let reading = false;
  let wake = Promise.withResolvers<void>();
  const pump = async (): Promise<void> => {
    try {
      for await (const chunk of channel.input) {
        if (terminal !== undefined && chunk.includes(interrupt)) stop();
        if (buffered.length <= maximumPasswordBytes) buffered = Buffer.concat([buffered, chunk]);
        wake.resolve();
      }
    } finally {
      ended = true;
      wake.resolve();
    }
  };
  const start = (): void => {
    if (reading) return;
    reading = true;
    pump().catch(() => undefined); // the channel is gone: its `closed` signal tells everybody
  };
  if (terminal !== undefined) start();
  return {
    async line(signal: AbortSignal): Promise<string | undefined> {
      start();
      for (;;) {
        signal.throwIfAborted();
        const end = buffered.findIndex((byte) => byte === 0x0a || byte === 0x0d);
        if (end >= 0 || ended) {
          if (end < 0 && buffered.length === 0) return undefined;
          const line = buffered.subarray(0, end < 0 ? buffered.length : end).toString("utf8");
          const after = buffered[end] === 0x0d && buffered[end + 1] === 0x0a ? end + 2 : end + 1;
          const rest = Buffer.from(buffered.subarray(end < 0 ? buffered.length : after));
          buffered.fill(0);
          buffered = rest;
          return line;
        }
        if (buffered.length > maximumPasswordBytes) {
          throw new EndpointError("InvalidArgument", `A password has at most ${maximumPasswordBytes} bytes.`);
        }
        wake = Promise.withResolvers<void>();
        const aborted = new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
        await Promise.race([wake.promise, aborted]);
      }
    },
  };
};

const noPassword = (): EndpointError =>
  new EndpointError(
    "InvalidArgument",
    "This command needs a password: give it as the first line of standard input, or log in without a command to be asked for it.",
  );

/**
 * Runs one command line for a script: data on standard output, everything else on standard error.
 *
 * @returns the exit status to send
 */
export const serveExec = async (
  invoke: Invoke,
  commandLine: string,
  terminal: PseudoTerminal | undefined,
  channel: SessionChannel,
  shutdown: AbortSignal,
): Promise<number> => {
  const interrupted = new AbortController();
  const signal = AbortSignal.any([channel.closed, interrupted.signal, shutdown]);
  const input = createInput(channel, terminal, () => interrupted.abort());

  const show = async (answer: Answer): ReturnType<Delivery["show"]> => {
    const digest = createHash("sha256");
    let sentBytes = 0;
    const width = terminal?.columns ?? unlimitedWidth;
    for await (const piece of encodeAnswer(answer, { width, terminal: terminal !== undefined })) {
      if (piece === "") continue;
      signal.throwIfAborted();
      const bytes = toLines(piece, terminal);
      digest.update(bytes);
      sentBytes += bytes.length;
      await channel.write(bytes);
    }
    return { sentBytes, sentDigest: digest.digest("hex") };
  };

  const askPassword: Delivery["askPassword"] = async (prompt, { repeat }) => {
    const ask = async (question: string): Promise<string> => {
      if (terminal !== undefined) await channel.write(text.encode(`${question}: `));
      const line = await input.line(signal);
      if (terminal !== undefined) await channel.write(text.encode("\r\n"));
      if (line === undefined || line === "") throw noPassword();
      return line;
    };
    const password = await ask(prompt);
    if (repeat && terminal !== undefined && (await ask(`${prompt}, again`)) !== password) {
      throw new EndpointError("InvalidArgument", "The two passwords differ.");
    }
    return new Secret(password);
  };

  const outcome = await invoke(
    commandLine,
    {
      how: "exec",
      batchRows: () => bulkRows,
      reveal: (key) => key,
      // A script names what it wants; its role limits how much that may be.
      confirmBulk: async () => true,
      confirm: async () => {
        throw new EndpointError("InvalidArgument", "Nobody can be asked here: give -Confirm if you mean it.");
      },
      tell: (message) => channel.writeError(toLines(`${message.split("\n").map(printable).join("\n")}\n`, terminal)),
      askPassword,
      show,
    },
    signal,
  );
  if (outcome.failure !== undefined && !channel.closed.aborted) {
    const { category } = outcome.failure;
    // Who stopped it says why: a shutdown, or rights that went away.
    const why: unknown = category === "OperationStopped" && shutdown.aborted ? shutdown.reason : undefined;
    const message = typeof why === "string" ? why : outcome.failure.message;
    const line = `${category}: ${message.split("\n").map(printable).join("\n")}\n`;
    await channel.writeError(toLines(line, terminal)).catch(() => undefined); // who hung up needs no message
  }
  return outcome.exitStatus;
};
