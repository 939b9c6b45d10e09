/*
 * ATTACK  One person has two certificates of the same authority with their own key id, for two user names and two fresh keys, or one
 *         for a whole group: one asks, the other approves. Or the one who approved uses the approval up with a third.
 * DANGER  Approval by two persons that one person gives, with nothing stolen and nothing forged.
 * EXPECT  Any match of user, key, or authority and key id bars it, judged by what the record has of the request. Two honest people
 *         of one authority, with key ids of their own, are two parties.
 */
import { expect, test } from "vitest";
import { sameParty } from "../../server/identity/party.ts";
import { createStage, idIn } from "../harness/elevation-stage.ts";
import { startCertifiedEndpoint } from "../harness/certified-endpoint.ts";

const line = "Get-RecoveryKeys -raw";
const authority = "SHA256:authority";
const alice = { authority, keyId: "alice@corp" };

test("two real certificates of one key id don't approve each other; another person's does", async () => {
  const it = await startCertifiedEndpoint();
  const as = async (user: "requester" | "approver", keyId: string) => {
    const { options } = await it.certify(user, ["-I", keyId]);
    return (command: string) => it.endpoint.ssh(user, command, { options: [...options] });
  };
  const asRequester = await as("requester", "alice@corp");
  const id = idIn((await asRequester(line)).stderr);
  expect(id).not.toBe("");
  const approve = `Approve-Elevation ${id} -Comment ok -Confirm`;
  const asHerself = await as("approver", "alice@corp");
  expect((await asHerself("Get-Elevation -Format json")).stdout.trim()).toBe("[]");
  const own = await asHerself(approve);
  expect(own.status).toBe(2);
  expect(own.stderr).toContain("a certificate of the key id that you are logged in with");
  expect((await asRequester(`${line} -RequestId ${id}`)).status).toBe(8);
  const asBob = await as("approver", "bob@corp");
  expect((await asBob(approve)).status).toBe(0);
  expect((await asRequester(`${line} -RequestId ${id}`)).status).toBe(0);
  const recorded = it.endpoint.events().filter((event) => event.type === "elevation");
  expect(recorded[0]).toMatchObject({ state: "requested", requesterCertificate: { keyId: "alice@corp" } });
  expect(recorded.find(({ state }) => state === "approved")).toMatchObject({
    approverCertificate: { keyId: "bob@corp" },
  });
}, 120_000);

test("nor after a restart, nor through a certificate for a whole group", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line, { key: "SHA256:1", certificate: alice });
  await stage.restart();
  const second = await stage.run("dave", `Approve-Elevation ${id} -Comment ok -Confirm`, {
    key: "SHA256:2",
    certificate: alice,
  });
  expect(second.outcome.exitStatus).toBe(2);
  const seen = await stage.run("dave", "Get-Elevation -Format json", { key: "SHA256:2", certificate: alice });
  expect(JSON.parse(seen.shown)).toEqual([]);
});

test("who approved can't use the approval, with whatever else they hold", async () => {
  const stage = await createStage();
  const id = await stage.ask("alice", line, { key: "SHA256:1" });
  const bob = { authority, keyId: "bob@corp" };
  await stage.run("dave", `Approve-Elevation ${id} -Comment ok -Confirm`, { key: "SHA256:2", certificate: bob });
  await stage.restart();
  const used = await stage.run("alice", `${line} -RequestId ${id}`, { key: "SHA256:1", certificate: bob });
  expect(used.outcome.exitStatus).toBe(8);
  expect(used.message).toContain("approved with the key or certificate that you are logged in with");
  expect((await stage.run("alice", `${line} -RequestId ${id}`, { key: "SHA256:1" })).outcome.exitStatus).toBe(0);
});

test("any match is one person; the same key id of another authority is none; an empty key id names nobody, so it matches", () => {
  const one = { connectedUser: "alice", keyFingerprint: "SHA256:1", certificate: alice };
  const other = { connectedUser: "dave", keyFingerprint: "SHA256:2" };
  expect(sameParty(one, { ...other, connectedUser: "alice" })).toBe(true);
  expect(sameParty(one, { ...other, keyFingerprint: "SHA256:1" })).toBe(true);
  expect(sameParty(one, { ...other, certificate: alice })).toBe(true);
  expect(sameParty(one, { ...other, certificate: { authority, keyId: "bob@corp" } })).toBe(false);
  expect(sameParty(one, { ...other, certificate: { authority: "SHA256:other", keyId: "alice@corp" } })).toBe(false);
  expect(sameParty({ connectedUser: "alice" }, { connectedUser: "dave" })).toBe(false);
  const nameless = { authority, keyId: "" };
  expect(sameParty({ ...one, certificate: nameless }, { ...other, certificate: nameless })).toBe(true);
});
