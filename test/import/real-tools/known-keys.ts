import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createRandom, makeGuid, makePassword, pairs, readAll, sharedData } from "../recovery-data.ts";
import type { ReadOptions } from "../../../server/import/contract.ts";

interface Protector {
  readonly id: string;
  /** As PowerShell calls it. */
  readonly type: string;
  readonly password: string;
  readonly file: string;
}

interface Volume {
  readonly mountPoint: string;
  readonly volumeType: "OperatingSystem" | "Data";
  readonly protectors: readonly Protector[];
}

export interface Computer {
  readonly computer: string;
  readonly volumes: readonly Volume[];
}

const otherProtector = (type: string, id: string): Protector => ({
  id,
  type,
  password: "",
  file: type === "ExternalKey" ? `${id}.BEK` : "",
});

/** Made-up keys of computers whose names are short, have an umlaut, or are long. */
export const madeUpComputers = (seed: number): readonly Computer[] => {
  const random = createRandom(seed);
  const recovery = (): Protector => ({
    id: makeGuid(random),
    type: "RecoveryPassword",
    password: makePassword(random),
    file: "",
  });
  const system = (): Volume => ({
    mountPoint: "C:",
    volumeType: "OperatingSystem",
    protectors: [otherProtector("Tpm", makeGuid(random)), recovery()],
  });
  const data = (...types: readonly string[]): Volume => ({
    mountPoint: "D:",
    volumeType: "Data",
    protectors: [recovery(), ...types.map((type) => otherProtector(type, makeGuid(random)))],
  });
  return [
    { computer: "PC-0001", volumes: [system(), data("ExternalKey", "Password")] },
    { computer: "BÜRO-7", volumes: [system()] },
    { computer: "SRV-0001.sales.corp.example.com", volumes: [system(), data()] },
  ];
};

const realVolumes = z.array(
  z.object({
    computerName: z.string(),
    volumeType: z.string(),
    protectors: z.array(z.object({ keyId: z.string(), recoveryPassword: z.string() })),
  }),
);

/** The keys of the nine real volumes, as their computers would show them. */
export const realComputers = (): readonly Computer[] => {
  const volumes = realVolumes.parse(JSON.parse(readFileSync(join(sharedData, "bitlocker-volumes.json"), "utf8")));
  const names = [...new Set(volumes.map(({ computerName }) => computerName))];
  return names.map((computer) => ({
    computer,
    volumes: volumes
      .filter(({ computerName }) => computerName === computer)
      .map(({ volumeType, protectors }, index) => ({
        mountPoint: `${"CDEFG"[index] ?? "X"}:`,
        volumeType: volumeType === "OperatingSystem" ? "OperatingSystem" : "Data",
        protectors: protectors.map(({ keyId, recoveryPassword }) => ({
          id: keyId,
          type: "RecoveryPassword",
          password: recoveryPassword,
          file: "",
        })),
      })),
  }));
};

const line = (computer: string, id: string, password: string | undefined): string => `${computer} ${id} ${password}`;

/** A line for each recovery password, with its computer and id. */
export const linesOf = (computers: readonly Computer[]): readonly string[] =>
  computers.flatMap(({ computer, volumes }) =>
    volumes.flatMap(({ protectors }) =>
      protectors.filter(({ password }) => password !== "").map(({ id, password }) => line(computer, id, password)),
    ),
  );

/** The same of a file. */
export const linesIn = async (path: string, options?: ReadOptions): Promise<readonly string[]> => {
  const records = await readAll(path, options);
  const withPassword = records.filter(({ protector }) => protector.kind === "NumericalPassword");
  return pairs(records).map(([id, password], index) => line(withPassword[index]?.computerName ?? "", id, password));
};
