import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pep, root, startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { createRandom, makeGuid, makePassword } from "../import/recovery-data.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const random = createRandom(150);
const thumbprint = "9DE688607336294A52B445D30D1EB92F0BEC1E78";
const id = { password: makeGuid(random), file: makeGuid(random), agent: makeGuid(random), tpm: makeGuid(random) };

const protector = (keyId: string, type: number, more: object = {}): object => ({
  KeyProtectorId: `{${keyId}}`,
  AutoUnlockProtector: null,
  KeyProtectorType: type,
  KeyFileName: "",
  RecoveryPassword: "",
  KeyCertificateType: null,
  Thumbprint: "",
  ...more,
});

/** As `Get-BitLockerVolume | ConvertTo-Json -Depth 4` of Windows PowerShell writes it. */
const volume = {
  ComputerName: "PC-OP-1",
  MountPoint: "C:",
  VolumeType: 0,
  KeyProtector: [
    protector(id.tpm, 1),
    protector(id.password, 3, { RecoveryPassword: makePassword(random) }),
    protector(id.file, 2, { KeyFileName: `${id.file}.BEK`, AutoUnlockProtector: false }),
    protector(id.agent, 7, { KeyCertificateType: 1, Thumbprint: thumbprint }),
  ],
};

describe("other protectors over ssh", () => {
  let told = "";
  beforeAll(async () => {
    const importing = ["import", "--data-dir", endpoint.dataDirectory];
    told = (await pep([...importing, "-"], JSON.stringify(volume))).stderr;
    const text = join(root, "test", "import", "fixtures", "manage-bde-all-kinds.txt");
    told += (await pep([...importing, "--computer-name", "PC-OP-2", text])).stderr;
  });

  test("are counted by the import, and protectors that help nobody are passed over", () => {
    expect(told).toContain("3 key protectors added, 0 already known, 0 skipped, 1 other protector passed over");
    expect(told).toContain("4 key protectors added, 0 already known, 0 skipped, 2 other protectors passed over");
  });

  test("come as the import told them, from PowerShell's objects and manage-bde's text", async () => {
    const line = "Get-RecoveryKeys PC-OP-1,PC-OP-2 -Protectors -Format json";
    const { status, stdout, stderr } = await endpoint.ssh("exporter", line);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const ofText = "9de688607336294a52b445d30d1eb92f0bec1e78";
    const file = "A3F21E0B-5A8E-4C3A-8A55-0E1D2C3B4A59";
    const rows: readonly Readonly<Record<string, unknown>>[] = JSON.parse(stdout);
    expect(rows).toHaveLength(4);
    for (const [computer, kind, category, protectorId, fileName, ofCertificate] of [
      ["PC-OP-1", "ExternalKey", "Recovery", id.file, `${id.file}.BEK`, null],
      ["PC-OP-1", "DataRecoveryAgent", "Recovery", id.agent, null, thumbprint.toLowerCase()],
      ["PC-OP-2", "ExternalKey", "Managed", file, `${file}.BEK`, null],
      ["PC-OP-2", "DataRecoveryAgent", "Recovery", "3F81C18D-A685-4782-8F55-99C6452980E7", null, ofText],
    ])
      expect(rows.find((row) => row["ProtectorId"] === protectorId)).toMatchObject({
        ComputerName: computer,
        ProtectorType: kind,
        Category: category,
        FileName: fileName,
        Thumbprint: ofCertificate,
      });
  });

  test("are on the record as protectors, and their key stays unmarked", async () => {
    const before = endpoint.events().length;
    await endpoint.ssh(
      "exporter",
      `Get-RecoveryKeys -RecoveryKeyId ${id.password.slice(0, 8)} -Protectors -Reason Other`,
    );
    expect(endpoint.events().slice(before)).toContainEqual(
      expect.objectContaining({
        type: "disclosure",
        what: "protector",
        reason: "Other",
        keys: expect.arrayContaining([
          { keyId: id.file, computerName: "PC-OP-1" },
          { keyId: id.agent, computerName: "PC-OP-1" },
        ]),
      }),
    );
    const { stdout } = await endpoint.ssh(
      "exporter",
      `Get-RecoveryKeys -RecoveryKeyId ${id.password} -NoRotation -Format json`,
    );
    expect(JSON.parse(stdout)[0]).toMatchObject({ Disclosed: false });
  });

  test("are painted on a screen, and are blanks in its transcript", async () => {
    const terminal = endpoint.terminal("exporter", { columns: 120, rows: 40 });
    await terminal.waitFor("exporter@pep");
    terminal.type("Get-RecoveryKeys PC-OP-1 -Protectors\r");
    await terminal.waitFor(`${id.file}.BEK`);
    await terminal.waitFor(thumbprint.toLowerCase());
    terminal.type("exit\r");
    await terminal.exited;
    const directory = join(endpoint.dataDirectory, "audit", "transcripts");
    const transcripts = readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), "utf8"))
      .join("\n");
    expect(transcripts).toContain(`disclosed ${id.file} ${id.agent}`);
    expect(transcripts).toContain("ProtectorType");
    expect(transcripts).not.toContain(`${id.file}.BEK`);
    expect(transcripts).not.toContain(thumbprint.toLowerCase());
  });
});
