import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pep, root, startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { readMetadata, volumeKeyFrom } from "../harness/bitlocker-volume.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { guidBase64, makeGuid, makePassword, createRandom } from "../import/recovery-data.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

interface Escrowed {
  readonly computer: string;
  readonly keyId: string;
  readonly password: string;
  readonly bytes: Buffer;
}

/** As ldifde writes a recovery object of Active Directory. */
const entryOf = ({ computer, keyId, password, bytes }: Escrowed): string =>
  [
    `dn: CN=2026-11-01T10:00:00-00:00{${keyId}},CN=${computer},DC=corp,DC=example`,
    "objectClass: msFVE-RecoveryInformation",
    `msFVE-RecoveryGuid:: ${guidBase64(keyId)}`,
    `msFVE-RecoveryPassword: ${password}`,
    `msFVE-KeyPackage:: ${bytes.toString("base64")}`,
    "",
  ].join("\n");

const escrow = async (...keys: readonly Escrowed[]): Promise<void> => {
  const exported = keys.map(entryOf).join("\n");
  const { status, stderr } = await pep(["import", "--data-dir", endpoint.dataDirectory, "-"], exported);
  expect(status, stderr).toBe(0);
};

const random = createRandom(15);
const made: Escrowed = {
  computer: "PC-KP-1",
  keyId: makeGuid(random),
  password: makePassword(random),
  // Every byte, and what a terminal's or a shell's line ends would change.
  bytes: Buffer.from([
    ...Array.from({ length: 256 }, (_, byte) => byte),
    13,
    10,
    10,
    13,
    0,
    26,
    ...Buffer.from("\r\n"),
  ]),
};

describe("a recovery package over ssh", () => {
  beforeAll(() => escrow(made));

  test("comes byte for byte as it was imported, alone on standard output", async () => {
    for (const line of [made.keyId, made.keyId.slice(0, 8), "-ComputerName pc-kp-1"]) {
      const answer = await endpoint.ssh("exporter", `Get-RecoveryPackage ${line}`);
      expect({ status: answer.status, stderr: answer.stderr }).toEqual({ status: 0, stderr: "" });
      expect(answer.stdoutBytes.equals(made.bytes)).toBe(true);
    }
    const { stdout } = await endpoint.ssh("exporter", `Get-RecoveryPackage ${made.keyId} -Base64`);
    expect(stdout).toBe(`${made.bytes.toString("base64")}\n`);
  });

  test("is on the record as a package, with the digest of what was sent, and its key is marked", async () => {
    const before = endpoint.events().length;
    const { stdoutBytes } = await endpoint.ssh("exporter", `Get-RecoveryPackage ${made.keyId} -Reason Other`);
    const events = endpoint.events().slice(before);
    expect(events.find(({ type }) => type === "disclosure")).toMatchObject({
      what: "recovery-package",
      reason: "Other",
      keys: [{ keyId: made.keyId, computerName: made.computer }],
    });
    expect(events.find(({ type }) => type === "command-finished")).toMatchObject({
      outcome: "succeeded",
      rows: 1,
      sentBytes: stdoutBytes.length,
    });
    const { stdout } = await endpoint.ssh("exporter", `Get-RecoveryKeys -RecoveryKeyId ${made.keyId} -Format json`);
    expect(JSON.parse(stdout)[0]).toMatchObject({ Disclosed: true });
  });

  test("is refused to a terminal and to a screen, and nothing is disclosed", async () => {
    const before = endpoint.events().length;
    for (const more of ["", " -Base64"]) {
      const answer = await endpoint.ssh("exporter", `Get-RecoveryPackage ${made.keyId}${more}`, { options: ["-tt"] });
      expect(answer.status).toBe(2);
      expect(answer.stdout + answer.stderr).toContain("without -t: ssh HOST COMMAND > FILE");
    }
    const terminal = endpoint.terminal("exporter", { columns: 120, rows: 30 });
    await terminal.waitFor("exporter@pep");
    terminal.type(`Get-RecoveryPackage ${made.keyId}\r`);
    await terminal.waitFor("package.kp");
    expect(
      endpoint
        .events()
        .slice(before)
        .filter(({ type }) => type === "disclosure"),
    ).toEqual([]);
  });

  test.each(["support", "requester", "certadmin", "approver", "auditor", "guest"] as const)(
    "does not exist for %s",
    async (user) => {
      const hidden = await endpoint.ssh(user, `Get-RecoveryPackage ${made.keyId}`);
      const unknown = await endpoint.ssh(user, `Get-RecoverySeat ${made.keyId}`);
      expect(hidden).toMatchObject({ status: 127, stdout: "" });
      expect(hidden.stderr.replaceAll("Get-RecoveryPackage", "X")).toBe(
        unknown.stderr.replaceAll("Get-RecoverySeat", "X"),
      );
    },
  );

  test("is in no file of the data directory and in no message, in any of its written forms", async () => {
    await endpoint.ssh("exporter", `Get-RecoveryPackage ${made.keyId}`);
    const pieces = (["latin1", "base64", "hex"] as const).map((form) =>
      Buffer.from(made.bytes.toString(form).slice(12, 60), "latin1"),
    );
    const files = globSync("**/*", { cwd: endpoint.dataDirectory })
      .map((name) => join(endpoint.dataDirectory, name))
      .filter((path) => statSync(path).isFile());
    expect(files.length).toBeGreaterThan(5);
    const holding = files.filter((path) => {
      const bytes = readFileSync(path);
      return pieces.some((piece) => bytes.includes(piece));
    });
    expect(holding).toEqual([]);
    for (const piece of pieces) expect(endpoint.stderr()).not.toContain(piece.toString("latin1"));
  });
});

const data = join(root, "..", "shared", "data");
const archive = join(data, "bitlocker-volumes.tar.xz");
const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
const mayUnlock =
  existsSync(archive) &&
  ["cryptsetup", "xz"].every(
    (name) => spawnSync(name, ["--version"], { env: { ...process.env, PATH: path } }).status === 0,
  );

interface RealVolume {
  readonly image: string;
  readonly computerName: string;
  readonly protectors: readonly { readonly keyId: string; readonly recoveryPassword: string }[];
}

/** The volume's own key, as cryptsetup finds it with a recovery password. */
const keyByCryptsetup = (image: string, password: string): string => {
  const dump = execFileSync("cryptsetup", ["bitlkDump", image, "--dump-volume-key", "-q", "--key-file", "-"], {
    input: password,
    encoding: "utf8",
    env: { ...process.env, PATH: path },
  });
  return (/MK dump:([\s0-9a-f]+)/.exec(dump)?.[1] ?? "").replaceAll(/\s/g, "");
};

// No tool on this system takes a package file: repair-bde is of Windows alone. So the package is taken apart by hand, with the real volume's
// own metadata as the package, and what comes out is held against what cryptsetup says of the volume.
test.skipIf(!mayUnlock).each(["bitlk-aes-xts-256.img", "bitlk-togo-aes-xts-128.img"])(
  "of a real volume (%s) gives, with the recovery password, the volume's key (skipped: ../shared, cryptsetup or xz is not there)",
  { timeout: 120_000 },
  async (image) => {
    const directory = temporaryDirectory();
    execFileSync("tar", ["--extract", "--xz", "--sparse", "--file", archive, "--directory", directory, image]);
    const volumes: readonly RealVolume[] = JSON.parse(readFileSync(join(data, "bitlocker-volumes.json"), "utf8"));
    const volume = volumes.find((one) => one.image === image);
    const [protector] = volume?.protectors ?? [];
    if (volume === undefined || protector === undefined) throw new Error("no such volume");
    const { keyId, recoveryPassword: password } = protector;
    const bytes = readMetadata(join(directory, image));
    await escrow({ computer: volume.computerName, keyId, password, bytes });

    const shown = await endpoint.ssh("exporter", `Get-RecoveryKeys -RecoveryKeyId ${keyId} -Format json`);
    const { stdoutBytes } = await endpoint.ssh("exporter", `Get-RecoveryPackage ${keyId}`);
    expect(stdoutBytes.equals(bytes)).toBe(true);
    const id = Buffer.from(guidBase64(keyId), "base64");
    const volumeKey = volumeKeyFrom(stdoutBytes, JSON.parse(shown.stdout)[0].RecoveryKey, id);
    expect(volumeKey.toString("hex")).toBe(keyByCryptsetup(join(directory, image), password));
  },
);
