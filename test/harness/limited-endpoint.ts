import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Endpoint, makeDemo, startEndpoint } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

interface RolesText {
  roleCapabilities: Record<string, { visibleCommands: unknown[] }>;
  session: Record<string, unknown>;
}

/** A demo whose roles file was changed before its first start. @returns where its data lies */
export const prepareDemo = async (change: (roles: RolesText) => void): Promise<string> => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  await makeDemo(dataDirectory);
  const path = join(dataDirectory, "jea-roles.json");
  const roles: RolesText = JSON.parse(readFileSync(path, "utf8"));
  change(roles);
  writeFileSync(path, JSON.stringify(roles, undefined, 2));
  return dataDirectory;
};

/** The same, started. */
export const startLimited = async (change: (roles: RolesText) => void): Promise<Endpoint> =>
  startEndpoint({ dataDirectory: await prepareDemo(change) });
