/*
 * ATTACK: while a session is open the role file is swapped: for one that gives its user more and may be written by others, for one
 *         that can't be read, and for one that takes a command away from who is just running it.
 * DANGER: whoever can write near the file gives rights by a rename; or rights that were taken away go on for hours.
 * EXPECT: a file that others may write, or a broken one, changes nothing; a good one counts at once, for open sessions too, and
 *         stops what may no longer run.
 */
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEndpoint } from "../harness/endpoint.ts";

test(
  "a swapped role file counts only where it is sound, and then for open sessions at once",
  { timeout: 120_000 },
  async () => {
    const endpoint = await startEndpoint();
    const path = join(endpoint.dataDirectory, "jea-roles.json");
    const shipped = readFileSync(path, "utf8");
    const swap = (text: string, mode: number): void => {
      writeFileSync(`${path}.new`, text, { mode: 0o600 });
      chmodSync(`${path}.new`, mode);
      renameSync(`${path}.new`, path);
      endpoint.signal("SIGHUP");
    };
    const refusals = (): number =>
      endpoint.events().filter((event) => event.type === "configuration-refused" && event.what === "roles").length;
    const generous = JSON.parse(shipped);
    generous.roleDefinitions["user:guest"] = generous.roleDefinitions["user:exporter"];
    const guest = endpoint.terminal("guest", { columns: 100, rows: 30 });
    await guest.waitFor(/PS.*>\s*$/);

    swap(JSON.stringify(generous), 0o666);
    await expect.poll(refusals).toBe(1);
    swap(`${JSON.stringify(generous)}}`, 0o600);
    await expect.poll(refusals).toBe(2);
    guest.type("Get-RecoveryKeys -raw\r");
    await guest.waitFor(/CommandNotFound/);

    const waiting = endpoint.ssh("requester", "Get-RecoveryKeys -raw -Wait");
    await expect.poll(() => endpoint.events().some(({ type }) => type === "elevation")).toBe(true);
    const narrower = JSON.parse(shipped);
    delete narrower.roleDefinitions["user:requester"];
    swap(JSON.stringify(narrower), 0o600);
    const stopped = await waiting;
    expect(stopped).toMatchObject({ status: 130, stdout: "" });
    expect(stopped.stderr).toContain("You may not run this any longer");
    expect((await endpoint.ssh("requester", "Get-RecoveryKeys -raw")).status).toBe(127);
  },
);
