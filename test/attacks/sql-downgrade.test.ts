import { afterEach, expect, test } from "vitest";
import { neverStopped } from "../site-database/fixture.ts";
import { startNumberedSite } from "../site-database/sql-server/start-site.ts";
import type { StartedSite } from "../site-database/sql-server/start-site.ts";

/*
 * ATTACK  Somebody between endpoint and SQL Server answers PRELOGIN with "encryption not supported", or shows a certificate
 *         for another name or from another authority.
 * DANGER  The login goes out in clear, or to the attacker: user name and password, which then read every recovery key.
 * EXPECT  No connection, and no LOGIN7 ever arrives, seen from the server's side.
 */

let site: StartedSite;
afterEach(() => site.dispose());

/** What the user got, and what the server saw. */
const tryToConnect = async (changes: object): Promise<object> => {
  const database = await site.open(changes);
  const failure: unknown = await database.countRecoveryKeys({}, neverStopped).catch((error: unknown) => error);
  return { failure, reached: site.server.accepted() > 0, logins: site.server.logins() };
};
const refusedBeforeTheLogin = {
  failure: expect.objectContaining({
    category: "ResourceUnavailable",
    message: "The site database is not available.",
  }),
  reached: true,
  logins: [],
};

test.each([[{ encrypt: true }], [{ encrypt: "strict" }]])(
  "a downgrade is refused before the login: %j",
  async (encrypt) => {
    site = await startNumberedSite(1, { downgrade: true });
    // A strict client begins with TLS and never asks; somebody who wants clear text has to refuse that.
    if (encrypt.encrypt === "strict") site.server.setFaults({ downgrade: true, at: { accept: "drop" } });
    expect(await tryToConnect(encrypt)).toEqual(refusedBeforeTheLogin);
  },
);

test.each([[{ encrypt: true }], [{ encrypt: "strict" }]])(
  "another name is refused before the login: %j",
  async (encrypt) => {
    site = await startNumberedSite(1);
    site.server.setFaults({ identity: site.certificates.otherName });
    expect(await tryToConnect(encrypt)).toEqual(refusedBeforeTheLogin);
  },
);

test.each([[{ encrypt: true }], [{ encrypt: "strict" }]])(
  "another authority is refused before the login: %j",
  async (encrypt) => {
    site = await startNumberedSite(1);
    site.server.setFaults({ identity: site.certificates.otherIssuer });
    expect(await tryToConnect(encrypt)).toEqual(refusedBeforeTheLogin);
  },
);

test("the certificate may be for the name that the configuration gives", async () => {
  site = await startNumberedSite(3);
  site.server.setFaults({ identity: site.certificates.otherName });
  for (const encrypt of ["strict", true]) {
    const database = await site.open({ encrypt, serverName: site.certificates.otherNameHost });
    await expect(database.countRecoveryKeys({}, neverStopped)).resolves.toBe(3);
  }
});
