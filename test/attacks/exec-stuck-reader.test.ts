import { expect, test } from "vitest";
import type { SessionChannel } from "../../server/session/contract.ts";
import type { Invoke } from "../../server/session/delivery.ts";
import { serveExec } from "../../server/session/exec.ts";
import { EndpointError } from "../../server/errors.ts";

// ATTACK   Ask for an export, then stop reading, and keep the connection open for days.
// DANGER   The write never comes back; a shutdown waits for it, and nobody can log in while it does.
// EXPECT   When the server's time for finishing is over the command is stopped, whatever the client reads.
test("a client that reads nothing can't keep a command from being stopped", async () => {
  const shutdown = new AbortController();
  const writing = Promise.withResolvers<void>();
  const channel: SessionChannel = {
    write: () => {
      writing.resolve();
      return new Promise(() => undefined);
    },
    writeError: async () => undefined,
    input: (async function* () {})(),
    closed: new AbortController().signal,
    closedInOrder: false,
    end: async () => undefined,
  };
  const invoke: Invoke = async (_, delivery) => {
    try {
      await delivery.show({ kind: "text", text: "more than the window holds" });
      return { exitStatus: 0, rowCount: 0 };
    } catch (error) {
      return { exitStatus: error instanceof EndpointError ? error.exitStatus : 70, rowCount: 0 };
    }
  };
  const served = serveExec(
    invoke,
    { commandLine: "Get-RecoveryKeys -raw", terminal: undefined },
    channel,
    shutdown.signal,
  );
  await writing.promise;
  shutdown.abort();
  expect((await served).exitStatus).toBe(130);
});
