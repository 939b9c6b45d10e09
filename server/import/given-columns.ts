import { EndpointError } from "../errors.ts";
import { givenRoles, plainName, type Role } from "./column-names.ts";
import type { GivenColumns } from "./layout.ts";

/** `Computer=AssetName`, as given with `--column`, once for each. @throws EndpointError for anything else */
export const parseGivenColumns = (texts: readonly string[]): GivenColumns => {
  const given = new Map<Role, string>();
  for (const text of texts) {
    const [, what = "", name = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    const role = givenRoles.get(plainName(what));
    if (role === undefined || plainName(name) === "" || given.has(role)) {
      throw new EndpointError(
        "InvalidArgument",
        "--column: WHAT=NAME, where WHAT is Computer, PasswordID, RecoveryPassword, VolumeID, VolumeType or Time, each once.",
      );
    }
    given.set(role, name);
  }
  return given;
};
