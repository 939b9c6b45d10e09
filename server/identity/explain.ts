import { UntrustedFile } from "../files/trusted-file.ts";

/** Why a file or a line can't be used, for the operator. */
export const explain = (error: unknown): string => {
  if (error instanceof UntrustedFile) return error.why;
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? `it can't be read (${String(error.code)})` : error.message;
};
