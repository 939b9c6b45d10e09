/*
 * ATTACK  One person has two user names, one that asks for approval and one that gives it: by the same key in two files, by a certificate
 *         that logs in as both, or as the only person who has the approver's role.
 * DANGER  Nobody else ever decides, and the record names two people. What the endpoint sees of a person (user, key, key id) bars the
 *         approval only where it sees the same: with another key of the second name it does not.
 * EXPECT  `pep roles test` and `pep doctor` name each such pair and by what it is one, and each request that nobody else could approve.
 *         They name none where a second person is there.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { findKnownUsers } from "../../server/cli/known-users.ts";
import { findWarnings } from "../../server/authorization/find-warnings.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { pathsIn, readConfiguration } from "../../server/configuration.ts";
import { pep } from "../harness/endpoint.ts";
import { ed25519Key } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const [one, two, three] = [ed25519Key(), ed25519Key(), ed25519Key()];
const ask = { visibleCommands: [{ name: "Get-RecoveryKeys", requireApproval: true }, "Request-Elevation"] };
const decide = { visibleCommands: ["Get-Elevation", "Approve-Elevation", "Deny-Elevation"] };

interface Story {
  /** Roles of each user, or of `group:NAME`. */
  readonly has: Readonly<Record<string, readonly ("ask" | "decide")[]>>;
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  readonly requiredGroups?: string;
  /** Lines of `authorized-keys/<user>`. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly authorities?: readonly string[];
  readonly warned: readonly RegExp[];
}

const asker = { alice: ["ask"], bob: ["decide"] } as const;
const stories: Readonly<Record<string, Story>> = {
  "two people, two keys": { has: asker, keys: { alice: [one.line], bob: [two.line] }, warned: [] },
  "both roles, and somebody else who approves": {
    has: { alice: ["ask", "decide"], bob: ["decide"] },
    keys: { alice: [one.line], bob: [two.line] },
    warned: [],
  },
  "both roles, each approves the other": {
    has: { alice: ["ask", "decide"], bob: ["ask", "decide"] },
    keys: { alice: [one.line], bob: [two.line] },
    warned: [],
  },
  "both roles, and nobody else": {
    has: { alice: ["ask", "decide"], bob: ["ask"] },
    keys: { alice: [one.line], bob: [two.line] },
    warned: [/requireApproval.*alice can ask for approval, and nobody else can give it/],
  },
  "the other approver has no key": {
    has: { alice: ["ask", "decide"], bob: ["decide"] },
    keys: { alice: [one.line] },
    warned: [/bob is not known/, /alice can ask for approval, and nobody else can give it/],
  },
  "the only approver may not connect": {
    has: asker,
    groups: { door: ["alice"] },
    requiredGroups: "door",
    keys: { alice: [one.line], bob: [two.line] },
    warned: [/bob has roles but may not connect/, /alice can ask for approval, and nobody else can give it/],
  },
  "one key in two files": {
    has: asker,
    keys: { alice: [one.line, three.line], bob: [two.line, one.line] },
    warned: [/the key SHA256:\S+ logs in as alice, who asks for approval, and as bob, who gives it/],
  },
  "one key in two files, and no other": {
    has: asker,
    keys: { alice: [one.line, two.line], bob: [one.line] },
    warned: [/alice can ask for approval, and nobody else can give it/, /the key SHA256:\S+ logs in as alice/],
  },
  "one key in two files of people who both only ask": {
    has: { alice: ["ask"], carol: ["ask"], bob: ["decide"] },
    keys: { alice: [one.line], carol: [one.line], bob: [two.line] },
    warned: [],
  },
  "one principal of an authority in two files": {
    has: asker,
    keys: {
      alice: [`cert-authority,principals="ops,desk" ${three.line}`],
      bob: [two.line, `cert-authority,principals="ops" ${three.line}`],
    },
    warned: [/a certificate of SHA256:\S+ for ops logs in as alice, who asks for approval, and as bob, who gives it/],
  },
  "an authority in two files, each for its own user": {
    has: asker,
    keys: { alice: [`cert-authority ${three.line}`], bob: [`cert-authority ${three.line}`] },
    warned: [],
  },
  "a trusted authority, and a group that has both": {
    has: asker,
    groups: { desk: ["alice", "bob"] },
    keys: { alice: [one.line], bob: [two.line] },
    authorities: [three.line],
    warned: [
      /a certificate of SHA256:\S+ for group:desk logs in as alice, who asks for approval, and as bob, who gives it/,
    ],
  },
  "a trusted authority, and groups that have one of them": {
    has: { "group:askers": ["ask"], "group:deciders": ["decide"] },
    groups: { askers: ["alice"], deciders: ["bob"] },
    keys: { alice: [one.line], bob: [two.line] },
    authorities: [three.line],
    warned: [],
  },
};

/** A data directory with these users, and everything that warnings are made of. */
const prepare = async ({ has, groups, requiredGroups, keys, authorities }: Story): Promise<string> => {
  const dataDirectory = join(temporaryDirectory(), "data");
  expect((await pep(["init", "--data-dir", dataDirectory])).status).toBe(0);
  const paths = pathsIn(dataDirectory);
  const roles = {
    roleCapabilities: { ask, decide },
    roleDefinitions: Object.fromEntries(
      Object.entries(has).map(([who, roleCapabilities]) => [
        who.includes(":") ? who : `user:${who}`,
        { roleCapabilities },
      ]),
    ),
    ...(groups === undefined ? {} : { groups }),
    ...(requiredGroups === undefined ? {} : { requiredGroups }),
  };
  writeFileSync(paths.roles, JSON.stringify(roles));
  for (const [user, lines] of Object.entries(keys)) {
    writeFileSync(join(paths.authorizedKeys, user), `${lines.join("\n")}\n`, { mode: 0o600 });
  }
  if (authorities !== undefined) {
    writeFileSync(join(dataDirectory, "authorities"), `${authorities.join("\n")}\n`, { mode: 0o600 });
    const written: object = JSON.parse(readFileSync(paths.endpoint, "utf8"));
    writeFileSync(paths.endpoint, JSON.stringify({ ...written, trustedUserCAKeys: "authorities" }));
  }
  return dataDirectory;
};

/** Of commands that nobody has the other warnings tell, and here nobody has most of them. */
const apart = (lines: readonly string[]): readonly string[] => lines.filter((line) => !/nobody can run/.test(line));

test.each(Object.entries(stories))("%s", async (_what, story) => {
  const dataDirectory = await prepare(story);
  const paths = pathsIn(dataDirectory);
  const known = findKnownUsers(paths, readConfiguration(dataDirectory, paths.endpoint));
  const roles = decodeRoles(readFileSync(paths.roles, "utf8"), commands);
  const found = apart(findWarnings(roles, known).map(({ path, message }) => `${path}: ${message}`));
  for (const words of story.warned) expect(found).toContainEqual(expect.stringMatching(words));
  expect(found).toHaveLength(story.warned.length);
});

test("roles test and doctor say it, also for a roles file that lies elsewhere", async () => {
  const dataDirectory = await prepare({
    has: asker,
    keys: { alice: [one.line, three.line], bob: [two.line, one.line] },
    warned: [],
  });
  const elsewhere = join(temporaryDirectory(), "roles.json");
  writeFileSync(elsewhere, readFileSync(pathsIn(dataDirectory).roles), { mode: 0o600 });
  const words = /the key SHA256:\S+ logs in as alice, who asks for approval, and as bob, who gives it/;
  const at = ["--data-dir", dataDirectory];
  const tested = await pep(["roles", "test", ...at]);
  expect(tested).toMatchObject({ status: 0, stdout: expect.stringMatching(words) });
  expect((await pep(["roles", "test", ...at, "--roles", elsewhere])).stdout).toMatch(words);
  expect((await pep(["doctor", ...at])).stdout).toMatch(words);
  expect((await pep(["roles", "test", "--roles", elsewhere])).stdout).not.toMatch(/SHA256|not known/);
});
