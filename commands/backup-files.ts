import { oneOf, text } from "../server/command/parameter-kinds.ts";
import { requiredValue, value } from "../server/command/parameters.ts";

/** Which files of the backup directory: the same rule for writing and for reading them, as the name becomes part of a path. */
export const backupFiles = {
  Name: requiredValue(
    text({
      placeholder: "<name>",
      expects: "the base name of the files: up to 64 letters, digits, hyphens and underscores, a letter or digit first",
      fits: /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    }),
    { synopsis: "Base name of the files.", position: 0 },
  ),
  Form: value(oneOf(["Pkcs8", "Pfx"]), {
    synopsis: "Pkcs8: certificate and encrypted private key in two files (the default); Pfx: both in one.",
  }),
};
