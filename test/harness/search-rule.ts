/** A rule `search` that its tests can use up. */
export const searchRule = { minimumNameCharacters: 3, minimumIdCharacters: 4, rows: 4, perHour: 3 };

/** Roles in which `exporter` has this entry of Get-RecoveryKeys, and no other. */
export const seekerRoles = (entry: object): string =>
  JSON.stringify({
    roleCapabilities: { seeker: { visibleCommands: [{ name: "Get-RecoveryKeys", ...entry }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["seeker"] } },
  });
