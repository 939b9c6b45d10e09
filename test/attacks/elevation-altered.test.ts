/*
 * ATTACK: something harmless is approved and something else is run: other parameters, another pipeline, another role, more
 *         rows; or the role file is changed in between; or the request names a command that the asker can't even see.
 * DANGER: the second person's yes is worth nothing, because it is not for what happens.
 * EXPECT: an approval fits the one invocation it names, under the role it was asked under, with the rows it then had.
 */
import { expect, test } from "vitest";
import { makeKeys } from "../commands/memory-site.ts";
import { createStage, idIn, rolesText } from "../harness/elevation-stage.ts";

const line = "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN' | Select-Object PasswordId";

test.each([
  "Get-RecoveryKeys -Reason 'Lost PIN' | Select-Object PasswordId",
  "Get-RecoveryKeys -ComputerName PC-0002 -Reason 'Lost PIN' | Select-Object PasswordId",
  "Get-RecoveryKeys -ComputerName PC-0001,PC-0002 -Reason 'Lost PIN' | Select-Object PasswordId",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason Other | Select-Object PasswordId",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN' -raw | Select-Object PasswordId",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN'",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN' | Select-Object PasswordId,RecoveryKey",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN' | Select-Object RecoveryKey",
  "Get-RecoveryKeys -ComputerName PC-0001 -Reason 'Lost PIN' | Select-Object PasswordId | Measure-Object",
])("after the approval of one invocation, %s is not it", async (other) => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  await stage.approve(id);
  const [command = "", ...pipe] = other.split(" | ");
  const altered = await stage.run("alice", [`${command} -RequestId ${id}`, ...pipe].join(" | "));
  expect(altered).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
  expect(altered.message).toContain("is for another invocation");
});

test("another spelling of the same invocation is the same", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line);
  await stage.approve(id);
  const same = `get-azsrecoverykeys -Req ${id} PC-0001 -rea "lost pin" | select -Property PasswordId`;
  expect((await stage.run("alice", same)).outcome.exitStatus).toBe(0);
});

test("more rows than were approved: none is shown, and no key is disclosed", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", "Get-RecoveryKeys -raw");
  await stage.approve(id);
  stage.setKeys(makeKeys(7));
  const more = await stage.run("alice", `Get-RecoveryKeys -raw -RequestId ${id}`);
  expect(more).toMatchObject({ outcome: { exitStatus: 5, rowCount: 0 }, shown: "" });
  expect(more.message).toContain("more than the 6 approved rows");
  expect(stage.events().some(({ type }) => type === "disclosure")).toBe(false);
});

test("a role's own limit holds with an approval too", async () => {
  const stage = await createStage();
  stage.setRoles(rolesText({ maxRows: 3 }));
  const id = await stage.ask("alice", "Get-RecoveryKeys -raw");
  expect((await stage.approve(id)).outcome.exitStatus).toBe(0);
  const ran = await stage.run("alice", `Get-RecoveryKeys -raw -RequestId ${id}`);
  expect(ran).toMatchObject({ outcome: { exitStatus: 5 }, shown: "" });
  expect(stage.events().some(({ type }) => type === "disclosure")).toBe(false);
});

test("after the approval the role file is swapped: what the role no longer allows is not run", async () => {
  const stage = await createStage();
  const ask = "Get-RecoveryKeys -raw";
  const id = await stage.ask("alice", ask);
  await stage.approve(id);
  stage.setRoles(rolesText({ parameters: ["ComputerName", "Reason"] }));
  expect((await stage.run("alice", `${ask} -RequestId ${id}`)).outcome.exitStatus).toBe(2);
  stage.setRoles(rolesText({ maxRows: 2 }));
  expect((await stage.run("alice", `${ask} -RequestId ${id}`)).outcome.exitStatus).toBe(5);
});

test("while it waits the role goes: it does not run, and the approval is not used up", async () => {
  const stage = await createStage();
  const ask = "Get-RecoveryKeys -raw";
  const id = await stage.ask("alice", ask);
  const waiting = Promise.withResolvers<void>();
  const ran = stage.run("alice", `${ask} -Wait`, { delivery: { tell: async () => waiting.resolve() } });
  await waiting.promise;
  stage.setRoles(rolesText().replace('"user:alice"', '"user:mallory"'));
  await stage.approve(id);
  expect((await ran).outcome.exitStatus).toBe(127);
  expect(stage.events().some((event) => event.type === "elevation" && event.state === "consumed")).toBe(false);
});

test("asking for a command that one can't see is answered as for one that does not exist", async () => {
  const stage = await createStage();
  const answers = [
    await stage.run("alice", "Request-Elevation 'verify-cert'"),
    await stage.run("alice", "Request-Elevation 'backup-cert -Name x'"),
    await stage.run("alice", "Request-Elevation 'No-SuchCommand'"),
    await stage.run("alice", "No-SuchCommand"),
  ];
  expect(new Set(answers.map(({ message }) => message)).size).toBe(1);
  expect(answers.map(({ outcome }) => outcome.exitStatus)).toEqual([127, 127, 127, 127]);
  expect(stage.events().some(({ type }) => type === "elevation")).toBe(false);
});

test("what needs no approval can't be asked for, and takes no request id", async () => {
  const stage = await createStage();
  expect((await stage.run("alice", "Request-Elevation 'Get-Command'")).message).toContain("needs no approval");
  expect((await stage.run("eve", "verify-cert -RequestId E-0123456789")).message).toContain("no such parameter");
  expect((await stage.run("alice", "Request-Elevation 'Get-RecoveryKeys -raw -Wait'")).message).toContain(
    "out of what",
  );
});

test("Request-Elevation names the invocation in canonical form, with the reason; its approver reads the rows there are", async () => {
  const stage = await createStage();
  const asked = await stage.run(
    "alice",
    "Request-Elevation 'get-recoverykeys pc-0001 -raw' -Reason 'Ticket 4711' -Format json",
  );
  expect(JSON.parse(asked.shown)).toMatchObject([
    { State: "pending", Invocation: "Get-RecoveryKeys -ComputerName pc-0001 -raw", Reason: "Ticket 4711", Rows: null },
  ]);
  const question = await stage.run("dave", `Approve-Elevation ${idIn(asked.shown)} -Comment ok`);
  expect(question.message).toContain("Get-RecoveryKeys -ComputerName pc-0001 -raw (at most 3 rows)");
  await stage.approve(idIn(asked.shown));
  const ran = await stage.run("alice", `Get-RecoveryKeys pc-0001 -raw -RequestId ${idIn(asked.shown)}`);
  expect(ran.outcome).toMatchObject({ exitStatus: 0, rowCount: 3 });
});
