import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { findWarnings } from "../../server/authorization/find-warnings.ts";
import { decode, problemsIn } from "./roles-text.ts";

/** Every command but the first role's, so that no warning says that nobody can run it. */
const others = commands
  .filter(({ name, forEveryone, forElevation }) => !forEveryone && !forElevation && name !== "Get-RecoveryKeys")
  .map(({ name }) => name);

const rolesWith = (parts: {
  readonly capability?: unknown;
  readonly user?: unknown;
  readonly group?: unknown;
}): string =>
  JSON.stringify({
    roleCapabilities: {
      keys: { requireSecondFactor: parts.capability, visibleCommands: ["Get-RecoveryKeys"] },
      certificate: { visibleCommands: others },
    },
    roleDefinitions: {
      "user:alice": {
        roleCapabilities: ["keys"],
        requireSecondFactor: parts.user,
        when: { from: "08:00", to: "08:01", timeZone: "UTC" },
        from: ["192.0.2.0/24"],
      },
      "group:desk": { roleCapabilities: ["certificate"], requireSecondFactor: parts.group },
    },
    groups: { desk: ["Bob"] },
  });

const whoNeedsOne = (text: string): Record<string, readonly string[]> => {
  const roles = decode(text);
  return Object.fromEntries(["alice", "ALICE", "bob", "carol"].map((user) => [user, roles.whySecondFactor(user)]));
};

test("nobody needs a second factor unless the file says so", () => {
  const nobody = { alice: [], ALICE: [], bob: [], carol: [] };
  expect(whoNeedsOne(rolesWith({}))).toEqual(nobody);
  expect(whoNeedsOne(rolesWith({ capability: false, user: false, group: false }))).toEqual(nobody);
});

test("a role, a user or a group asks for one, whatever the time and the network", () => {
  expect(whoNeedsOne(rolesWith({ capability: true }))).toMatchObject({ alice: ["role keys"], bob: [] });
  expect(whoNeedsOne(rolesWith({ user: true }))).toMatchObject({
    alice: ["user:alice"],
    ALICE: ["user:alice"],
    bob: [],
  });
  expect(whoNeedsOne(rolesWith({ group: true }))).toMatchObject({ alice: [], bob: ["group:desk"], carol: [] });
  expect(whoNeedsOne(rolesWith({ capability: true, user: true }))["alice"]).toEqual(["user:alice", "role keys"]);
});

test("anything but true or false is an error with its place", () => {
  expect(problemsIn(rolesWith({ user: "yes" }))).toEqual([
    "1 roleDefinitions.user:alice.requireSecondFactor: must be true or false.",
  ]);
  expect(problemsIn(rolesWith({ capability: 1 }))).toEqual([
    "1 roleCapabilities.keys.requireSecondFactor: must be true or false.",
  ]);
});

test("who needs one and has none is warned of, where it is known who has one", () => {
  const roles = decode(rolesWith({ capability: true, group: true }));
  const warned = (enrolled?: readonly string[]): string[] =>
    findWarnings(roles, enrolled && { users: ["alice", "bob"], enrolled, trustsAuthorities: false, proofsOf: () => [] })
      .filter(({ message }) => !message.startsWith("nobody can run"))
      .map(({ path, message }) => `${path}: ${message}`);
  expect(warned()).toEqual([]);
  expect(warned(["alice", "bob"])).toEqual([]);
  expect(warned(["alice"])).toEqual([
    "roleDefinitions.group:desk.requireSecondFactor: bob can't log in: a second factor is required, and none is enrolled. Run: pep users enrol bob",
  ]);
  expect(warned([])).toHaveLength(2);
});
