import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run, startEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";
import type { Terminal } from "../harness/terminal.ts";

const line = "Get-RecoveryKeys -raw -Format ndjson";

const idIn = (text: string): string => /E-[0-9A-F]{10}/.exec(text)?.[0] ?? "";

const logIn = async (endpoint: Endpoint, user: DemoUser): Promise<Terminal> => {
  const terminal = endpoint.terminal(user, { columns: 110, rows: 40 });
  await terminal.waitFor(/PS.*>\s*$/);
  return terminal;
};

const editRoles = (endpoint: Endpoint, edit: (text: string) => string): void => {
  const path = join(endpoint.dataDirectory, "jea-roles.json");
  const before = readFileSync(path, "utf8");
  const after = edit(before);
  if (after === before) throw new Error("the edit changed nothing");
  writeFileSync(path, after);
  endpoint.signal("SIGHUP");
};

test("a script is refused with a request's id, another person approves by exec, and it runs once", async () => {
  const endpoint = await startEndpoint();
  const refused = await endpoint.ssh("requester", line);
  expect(refused).toMatchObject({ status: 8, stdout: "" });
  expect(refused.stderr).toMatch(/^ApprovalRequired: Another person must approve this\. Request E-/);
  const id = idIn(refused.stderr);
  expect((await endpoint.ssh("exporter", `${line} -RequestId ${id}`)).status).toBe(2);
  expect((await endpoint.ssh("requester", `Approve-Elevation ${id} -Comment x -Confirm`)).status).toBe(127);
  // Counted once the requester has their answer, so that it tells nothing.
  await expect
    .poll(() => endpoint.events().some((event) => event.type === "elevation" && event.state === "estimated"))
    .toBe(true);
  const pending = JSON.parse((await endpoint.ssh("approver", "Get-Elevation -Format json")).stdout);
  expect(pending).toMatchObject([
    {
      RequestId: id,
      State: "pending",
      Requester: "requester",
      Invocation: "Get-RecoveryKeys -raw -Format ndjson",
      Rows: 65,
    },
  ]);
  expect((await endpoint.ssh("approver", `Approve-Elevation ${id} -Comment 'Ticket 4711'`)).status).toBe(2);
  const approved = await endpoint.ssh(
    "approver",
    `Approve-Elevation ${id} -Comment 'Ticket 4711' -Confirm -Format json`,
  );
  expect(approved.status).toBe(0);
  expect(JSON.parse(approved.stdout)).toMatchObject([{ State: "approved", DecidedBy: "approver" }]);

  // The server dies and comes back between approval and use.
  await endpoint.end();
  rmSync(join(endpoint.dataDirectory, "state", "control.sock"), { force: true });
  const again = await startEndpoint({ dataDirectory: endpoint.dataDirectory });
  const ran = await again.ssh("requester", `${line} -RequestId ${id}`);
  expect(ran.status).toBe(0);
  expect(ran.stdout.trim().split("\n")).toHaveLength(65);
  expect(await again.ssh("requester", `${line} -RequestId ${id}`)).toMatchObject({ status: 8, stdout: "" });
  const started = again.events().find((event) => event.type === "command-started" && event.requestId === id);
  expect(started).toMatchObject({ command: "Get-RecoveryKeys", connectedUser: "requester" });
});

test("by ssh, a computer that is there and one that is not are answered alike, and each probe is on the record", async () => {
  const endpoint = await startEndpoint();
  const probe = async (name: string): Promise<string> => {
    const { status, stdout, stderr } = await endpoint.ssh("requester", `Get-RecoveryKeys -ComputerName ${name}`);
    return JSON.stringify([status, stdout, stderr.replaceAll(idIn(stderr), "ID")]);
  };
  expect(await probe("DEMO-PC-01")).toBe(await probe("DEMO-PC-99"));
  const found = () =>
    endpoint
      .events()
      .flatMap((event) =>
        event.type === "elevation" && event.state === "estimated" ? [event.finding ?? "found"] : [],
      );
  await expect.poll(found).toEqual(["found", "No recovery key was found for computer DEMO-PC-99."]);
  const requested = endpoint.events().filter((event) => event.type === "elevation" && event.state === "requested");
  expect(requested).toHaveLength(2);
});

test("an approver at the screen sees a request come, confirms on the server's own prompt, and the waiting script runs", async () => {
  const endpoint = await startEndpoint();
  const approver = await logIn(endpoint, "approver");
  const bystander = await logIn(endpoint, "auditor");
  const waiting = endpoint.ssh("requester", `${line} -Wait`);
  const id = idIn(
    await approver.waitFor(/requester asks for approval, E-[0-9A-F]{10}: Get-RecoveryKeys[^]*\(65 rows\)/),
  );
  approver.type(`Approve-Elevation ${id} -Comment ok -Confirm\r`);
  await approver.waitFor(/◆[^]*Let requester run, once: Get-RecoveryKeys -raw -Format ndjson[^]*\[y\/N\]/);
  approver.type("n\r");
  await approver.waitFor(/Nothing was approved/);
  approver.type(`Approve-Elevation ${id} -Comment ok\r`);
  await approver.waitFor((seen) => (seen.match(/\[y\/N\]/g) ?? []).length === 2);
  approver.type("y\r");
  const ran = await waiting;
  expect(ran.status).toBe(0);
  expect(ran.stderr).toContain(`Waiting for another person to decide request ${id}`);
  expect(ran.stdout.trim().split("\n")).toHaveLength(65);
  expect(bystander.scrollback()).not.toContain(id);
});

test("a reload tells who lost a command, and it is gone", async () => {
  const endpoint = await startEndpoint();
  const terminal = await logIn(endpoint, "certadmin");
  editRoles(endpoint, (text) => text.replace(/"backup-cert",\s*/, ""));
  await terminal.waitFor(/What you may run was changed/);
  terminal.type("backup-cert -Name x\r");
  await terminal.waitFor(/CommandNotFound/);
  expect(endpoint.stderr()).toContain("reloaded");
});

test("a reload ends sessions whose users may no longer connect, or whose key is gone, and says why", async () => {
  const endpoint = await startEndpoint();
  const guest = await logIn(endpoint, "guest");
  const auditor = await logIn(endpoint, "auditor");
  const support = await logIn(endpoint, "support");
  const key = join(endpoint.dataDirectory, "authorized-keys", "auditor");
  const other = join(endpoint.dataDirectory, "another");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]);
  writeFileSync(key, readFileSync(`${other}.pub`));
  editRoles(endpoint, (text) =>
    text.replace('"groups": {', '"requiredGroups": "here",\n  "groups": {\n    "here": ["support", "auditor"],'),
  );
  await guest.waitFor(/no longer among those who may connect/);
  expect(await guest.exited).toBe(130);
  await auditor.waitFor(/The key you are logged in with was removed/);
  expect(await auditor.exited).toBe(130);
  support.type("verify-cert -raw\r");
  await support.waitFor(/^1$/m);
  const ended = endpoint.events().filter((event) => event.type === "session-ended");
  expect(new Set(ended.map(({ reason }) => reason))).toEqual(
    new Set(["rights gone: not in the required groups", "rights gone: not a key of this user"]),
  );
});

test("a waiting script whose user may no longer connect is stopped and told", async () => {
  const endpoint = await startEndpoint();
  const waiting = endpoint.ssh("requester", `${line} -Wait`);
  while (!endpoint.events().some((event) => event.type === "elevation")) await endpoint.ssh("guest", "Get-Command");
  editRoles(endpoint, (text) => text.replace('"groups": {', '"requiredGroups": "operators",\n  "groups": {'));
  const ended = await waiting;
  expect(ended.status).toBe(130);
  expect(ended.stderr).toContain("no longer among those who may connect");
});
