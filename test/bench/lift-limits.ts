import { readFileSync, writeFileSync } from "node:fs";

/** The rows open fifty sessions of one user and ask for hundreds of different keys: what no person may. */
export const liftLimits = (rolesFile: string): void => {
  const text = readFileSync(rolesFile, "utf8").replace(/,\s*"disclosuresPerHour": \d+/, "");
  writeFileSync(
    rolesFile,
    text.replace('"session": {', '"session": {\n    "sessionsPerUser": 1000,\n    "commandsPerUser": 100,'),
  );
};

/** And a thousand sessions within seconds. Versions before these settings refuse them. */
export const liftBudgets = (endpointFile: string): void => {
  const settings: unknown = JSON.parse(readFileSync(endpointFile, "utf8"));
  writeFileSync(
    endpointFile,
    JSON.stringify({ ...Object(settings), recordMiBPerHour: 65_536, sessionsPerMinute: 100_000 }),
  );
};
