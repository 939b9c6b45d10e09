import { createHash } from "node:crypto";

/** SHA-256 of a legal notice, hexadecimal: which of its versions was shown or accepted. */
export const noticeDigest = (notice: string): string => createHash("sha256").update(notice).digest("hex");
