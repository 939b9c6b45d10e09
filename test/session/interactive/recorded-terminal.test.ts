import { expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import { RecordedTerminal } from "../../../server/session/interactive/recorded-terminal.ts";
import { createMemoryChannel } from "./memory-channel.ts";

const start = (output: (text: string) => Promise<void>) => {
  const client = createMemoryChannel();
  const failures: unknown[] = [];
  const transcript = {
    fileName: "S-1.cast",
    output,
    resize: async () => undefined,
    marker: async () => undefined,
    discard: async () => undefined,
    close: async () => ({ transcriptDigest: "", transcriptBytes: 0 }),
  };
  return {
    client,
    failures,
    terminal: new RecordedTerminal(transcript, client.channel, {
      hasTerminal: true,
      onFailure: (e) => void failures.push(e),
    }),
  };
};

test("nothing is shown before it is recorded, and the order is the same in both", async () => {
  const recorded: string[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const { client, terminal } = start(async (text) => {
    const written = Promise.withResolvers<void>();
    waiting.push(written);
    await written.promise;
    recorded.push(text);
  });
  const writes = ["one ", "two ", "three"].map((text) => terminal.write(text));
  for (const count of [1, 2, 3]) {
    await expect.poll(() => waiting.length).toBe(count);
    expect(client.output()).toBe(recorded.join(""));
    waiting[count - 1]?.resolve();
    await writes[count - 1];
  }
  expect(client.output()).toBe("one two three");
});

test("after one failure nothing is recorded or shown, although the disk has room again", async () => {
  let full = true;
  const { client, failures, terminal } = start(async () => {
    if (full) throw new EndpointError("AuditUnavailable", "no space left");
  });
  await expect(terminal.write("lost")).rejects.toThrow("no space left");
  full = false;
  await terminal.write("after it");
  expect(client.output()).toBe("");
  expect(failures.length).toBe(1);
  await terminal.writeUnrecorded("that it ends");
  expect(client.output()).toBe("that it ends");
});

test("a client that reads nothing is not waited for any more once it is given up", async () => {
  const { client, terminal } = start(async () => undefined);
  client.stall();
  const writing = terminal.write("text");
  terminal.abandon();
  await expect(writing).rejects.toThrow("does not read");
});
