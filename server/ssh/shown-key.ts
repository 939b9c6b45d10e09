import type { Party } from "../identity/party.ts";
import type { KeyVerdict } from "../identity/log-in.ts";
import { readableText } from "./readable-text.ts";

/** What the record shows of a key. A key id is text of whoever runs the authority. */
export const shownOf = (verdict: Exclude<KeyVerdict, { readonly kind: "probe" }>) => ({
  ...(verdict.keyFingerprint === undefined ? {} : { keyFingerprint: verdict.keyFingerprint }),
  ...(verdict.certificate === undefined
    ? {}
    : { certificate: { ...verdict.certificate, keyId: readableText(verdict.certificate.keyId) } }),
  ...(verdict.kind === "proved" && verdict.fido !== undefined ? { fido: verdict.fido } : {}),
});

/** As the record shows it, so that what is counted and compared is what was recorded. */
export const partyOf = (verdict: Extract<KeyVerdict, { readonly kind: "proved" }>): Party => {
  const { keyFingerprint, certificate } = { ...shownOf(verdict), keyFingerprint: verdict.keyFingerprint };
  return { connectedUser: verdict.connectedUser, keyFingerprint, certificate };
};

export type Shown = ReturnType<typeof shownOf> & { readonly detail?: string };

export const readableDetail = (detail: string | undefined): Pick<Shown, "detail"> =>
  detail === undefined ? {} : { detail: readableText(detail, 200) };
