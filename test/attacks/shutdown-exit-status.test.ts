/*
 * ATTACK  Restart the endpoint, as an update does, while scripts run commands that end in their own time.
 * DANGER  The farewell overtakes the exit status: a script takes what was disclosed, and stands on the record as such, for
 *         failed (255), and asks for all of it again.
 * EXPECT  What ends before the server does has the exit status that it ended with; who never answers holds nothing up.
 */
import { expect, test } from "vitest";
import { run, startEndpoint } from "../harness/endpoint.ts";

test("commands that end with the server have their own exit status, also on a terminal", async () => {
  const it = await startEndpoint();
  const following = [1, 2].map(() => it.ssh("auditor", "Get-AuditEvent -Follow -Format ndjson"));
  const onTerminal = run("ssh", [...it.sshArguments("auditor", ["-tt"]), "Get-AuditEvent -Follow -Format ndjson"]);
  await expect
    .poll(() => it.events().filter((event) => event.type === "review" && event.action === "follow").length, {
      timeout: 20_000,
    })
    .toBe(3);
  it.signal("SIGTERM");
  for (const { status, stderr } of await Promise.all(following)) {
    expect(stderr).toBe("");
    expect(status).toBe(0);
  }
  expect((await onTerminal).status).toBe(0);
  expect(await it.exited).toBe(0);
  expect(it.events().at(-1)).toMatchObject({ type: "server-stopped" });
});
