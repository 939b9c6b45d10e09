import { freeText } from "../server/command/parameter-kinds.ts";
import { value, type Parameter } from "../server/command/parameters.ts";

/** Configuration Manager's own wording of the helpdesk's drive recovery reasons; any other words are taken too. */
const driveRecoveryReasons = [
  "Operating system boot order changed",
  "BIOS changed",
  "Operating system files modified",
  "Lost startup key",
  "Lost PIN",
  "TPM reset",
  "Lost passphrase",
  "Lost smartcard",
  "Other",
] as const;

/** The same for a TPM's owner. */
export const tpmOwnerReasons = [
  "Reset PIN lockout",
  "Turn on TPM",
  "Turn off TPM",
  "Change TPM password",
  "Clear TPM",
  "Other",
] as const;

/** Why something secret is needed. */
export const helpdeskReason = (
  synopsis: string,
  suggestions: readonly string[] = driveRecoveryReasons,
): Parameter<string> =>
  value(
    freeText({
      placeholder: "<text>",
      expects: "a text of at most 256 characters",
      longest: 256,
      suggestions,
    }),
    { synopsis },
  );
