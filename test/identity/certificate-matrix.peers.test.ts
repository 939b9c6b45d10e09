import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hasSshd, startSshd } from "../harness/debian-sshd.ts";
import { hasOpenSsh, runSsh } from "../harness/ssh-attacker-openssh.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { makeMatrix } from "./certificate-matrix.ts";
import type { Try } from "./certificate-matrix.ts";

const both = hasOpenSsh && hasSshd;
if (!both) console.warn("SKIPPED: the certificate matrix needs ssh and sshd (Debian: openssh-client, openssh-server)");

/** sshd, unless it is root, can log in the account only that it runs as. */
const user = userInfo().username;

test.runIf(both)("certificates and keys get the verdicts that Debian's sshd gives", { timeout: 300_000 }, async () => {
  const directory = temporaryDirectory();
  const { tries, stricter, authorizedKeys, authorities, krl } = makeMatrix(directory, user);
  const file = (name: string, lines: readonly string[]): string => {
    const path = join(directory, name);
    writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o600 });
    return path;
  };
  const trustedUserCAKeys = file("authorities", authorities);
  mkdirSync(join(directory, "principals"));
  file("principals/me", [user, "group:operators"]);
  const it = await startTestServer(undefined, {
    trustedUserCAKeys,
    revokedKeys: krl,
    groupsOf: () => ["operators"],
  });
  for (const line of authorizedKeys) it.authorize(user, line);
  expect(it.reloadAnchors()).toEqual([expect.stringContaining("an RSA key must have 3072")]);
  const sshdPort = await startSshd(directory, [
    `TrustedUserCAKeys ${trustedUserCAKeys}`,
    `RevokedKeys ${krl}`,
    `AuthorizedPrincipalsFile ${join(directory, "principals", "me")}`,
    `AuthorizedKeysFile ${file("authorized_keys", authorizedKeys)}`,
  ]);

  const logIn = async ({ key, certificate }: Try, port: number): Promise<"in" | "refused"> => {
    const args = certificate === undefined ? [] : ["-o", `CertificateFile=${certificate}`];
    const { status } = await runSsh(it, { key, user, args: [...args, "-o", `Port=${port}`], command: ["true"] });
    return status === 0 ? "in" : "refused";
  };
  const tableOf = async (cases: readonly Try[]): Promise<readonly (readonly [string, string, string])[]> => {
    const rows: (readonly [string, string, string])[] = [];
    for (const one of cases) rows.push([one.what, await logIn(one, it.port), await logIn(one, sshdPort)]);
    return rows;
  };
  const table = await tableOf(tries);
  const shown = table.map(([what, here, there]) => `${what.padEnd(48)} pep ${here.padEnd(8)} sshd ${there}`);
  await expect(`${shown.join("\n")}\n`).toMatchFileSnapshot("../golden/certificate-matrix.txt");
  expect(table.filter(([, here, there]) => here !== there)).toEqual([]);
  expect(table.length).toBeGreaterThanOrEqual(30);
  expect(table.filter(([, here]) => here === "in").length).toBeGreaterThan(20);
  // A certificate that is refused must not come in by its plain key instead.
  const certified = tries.filter((one, index) => one.certificate !== undefined && table[index]?.[1] === "in");
  const accepted = it.eventsOf("authentication").filter(({ outcome }) => outcome === "accepted");
  expect(accepted.filter(({ certificate }) => certificate !== undefined)).toHaveLength(certified.length);
  const onPurpose = await tableOf(stricter);
  for (const [what, here, there] of onPurpose) expect([what, here, there]).toEqual([what, "refused", "in"]);
  console.info(
    `${table.length} keys and certificates here and at Debian's sshd: no difference. Refused here on purpose, let in there: ` +
      `${onPurpose.map(([what]) => what).join("; ")}.\n${shown.join("\n")}`,
  );
});
