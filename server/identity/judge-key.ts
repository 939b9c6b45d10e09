import type { KeyAttempt, KeyRefusal, KeyVerdict } from "./log-in.ts";
import { isUserName } from "../model/user-name.ts";
import type { AuthorizedKey } from "./authorized-keys.ts";
import { decodeCertificate, plainAlgorithmOf } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { decodeCertificateRules } from "./certificate-rules.ts";
import type { CertificateRules } from "./certificate-rules.ts";
import { decodePublicKey, fingerprintOf } from "./public-key.ts";
import type { PublicKey } from "./public-key.ts";
import type { Revocation } from "./revocation-list.ts";
import { decodeSignedRequest, checkSignature, maySign } from "./signature.ts";
import type { FidoFlags } from "./signature.ts";
import { WireError } from "./wire.ts";

/** Everything the decision rests on, as it is at this moment. */
export interface KeyTrust {
  /** Of a user's name in lower case; `undefined` when there is no such user. */
  readonly keysOf: (user: string) => readonly AuthorizedKey[] | undefined;
  /** Names in lower case. */
  readonly groupsOf: (user: string) => readonly string[];
  /** Whether the roles let this user connect at all (`requiredGroups`). */
  readonly mayConnect: (user: string) => boolean;
  readonly isTrustedAuthority: (key: PublicKey) => boolean;
  /** A list that can't be read answers for everybody. */
  readonly findRevocation: (
    keyBlob: Buffer,
    certificate: Certificate | undefined,
  ) => Revocation | "the list of revoked keys can't be read" | undefined;
}

/** What was offered, decoded. */
interface Offer {
  /** In lower case. */
  readonly user: string;
  readonly key: PublicKey;
  readonly certificate: (Certificate & { readonly rules: CertificateRules }) | undefined;
  /** The one algorithm that may have signed. */
  readonly signatureAlgorithm: string;
}

/** What a key or certificate lets its owner do, and what it asks of them. */
interface Grant {
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
  readonly mayHaveTerminal: boolean;
  readonly forcedCommand: string | undefined;
  /** The first moment at which it grants nothing any more, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

const decodeOffer = ({ claimedUser, algorithm, keyBlob }: KeyAttempt): Offer | KeyRefusal => {
  const user = claimedUser.slice(0, 64).toLowerCase();
  const certified = plainAlgorithmOf(algorithm);
  if (certified === undefined) {
    const key = decodePublicKey(keyBlob);
    if (!maySign(algorithm, key.type)) return "the algorithm is not accepted with this key";
    return { user, key, certificate: undefined, signatureAlgorithm: algorithm };
  }
  const certificate = decodeCertificate(keyBlob);
  if (!maySign(certified, certificate.key.type)) return "the algorithm is not accepted with this key";
  const rules = decodeCertificateRules(certificate);
  if (typeof rules === "string") return rules;
  return { user, key: certificate.key, certificate: { ...certificate, rules }, signatureAlgorithm: certified };
};

const grantOfLine = (line: AuthorizedKey, attempt: KeyAttempt, nowMs: number): Grant | KeyRefusal => {
  const { options } = line;
  if (!options.mayComeFrom(attempt.clientAddress)) return "from= does not allow this address";
  if (options.expiresAt !== undefined && nowMs > options.expiresAt) return "the key's expiry-time is over";
  return {
    touchRequired: !options.noTouchRequired,
    verifyRequired: options.verifyRequired,
    mayHaveTerminal: !options.restricted,
    forcedCommand: undefined,
    expiresAt: options.expiresAt === undefined ? undefined : options.expiresAt + 1,
  };
};

/** Of a Date; certificates without an end are valid until 2^64 - 1. */
const lastSecond = 8_640_000_000_000n;

/** Both the line (if a line trusts the authority) and the certificate must allow what is allowed. */
const grantOfCertificate = (
  certificate: Certificate & { readonly rules: CertificateRules },
  attempt: KeyAttempt,
  principals: readonly string[],
  nowMs: number,
): Grant | KeyRefusal => {
  const { rules } = certificate;
  const now = BigInt(Math.floor(nowMs / 1000));
  if (certificate.kind !== "user") return "it is a host's certificate";
  if (now < certificate.validAfter) return "the certificate is not yet valid";
  if (now >= certificate.validBefore) return "the certificate is expired";
  // OpenSSH before 10.3 took none for "everybody" on cert-authority lines.
  if (certificate.principals.length === 0) return "the certificate has no principals";
  if (!certificate.principals.some((name) => principals.includes(name))) return "no principal of the certificate fits";
  if (!rules.mayComeFrom(attempt.clientAddress)) return "source-address does not allow this address";
  return {
    touchRequired: !rules.noTouchRequired,
    verifyRequired: rules.verifyRequired,
    mayHaveTerminal: rules.mayHaveTerminal,
    forcedCommand: rules.forcedCommand,
    expiresAt: certificate.validBefore > lastSecond ? undefined : Number(certificate.validBefore) * 1000,
  };
};

const both = (one: Grant | KeyRefusal, other: Grant | KeyRefusal): Grant | KeyRefusal => {
  if (typeof one === "string") return one;
  if (typeof other === "string") return other;
  return {
    touchRequired: one.touchRequired || other.touchRequired,
    verifyRequired: one.verifyRequired || other.verifyRequired,
    mayHaveTerminal: one.mayHaveTerminal && other.mayHaveTerminal,
    forcedCommand: one.forcedCommand ?? other.forcedCommand,
    expiresAt: [one.expiresAt, other.expiresAt].filter((at) => at !== undefined).sort((a, b) => a - b)[0],
  };
};

/** The first source of trust that grants; without one, the reason of the first that might have. */
const findGrant = (offer: Offer, attempt: KeyAttempt, trust: KeyTrust, nowMs: number) => {
  const { certificate, key, user } = offer;
  const ofUser = trust.keysOf(user);
  const listed = (ofUser ?? []).filter(
    (line) =>
      line.options.certAuthority === (certificate !== undefined) &&
      line.key.equals(certificate === undefined ? key.blob : certificate.authority.blob),
  );
  const fromLines = listed.map((line) => {
    const ofLine = grantOfLine(line, attempt, nowMs);
    if (certificate === undefined) return ofLine;
    return both(ofLine, grantOfCertificate(certificate, attempt, line.options.principals ?? [user], nowMs));
  });
  const ownPrincipals = [user, ...trust.groupsOf(user).map((group) => `group:${group}`)];
  const answers =
    certificate !== undefined && trust.isTrustedAuthority(certificate.authority)
      ? [grantOfCertificate(certificate, attempt, ownPrincipals, nowMs), ...fromLines]
      : fromLines;
  const granted = answers.find((answer) => typeof answer !== "string");
  const nobody: KeyRefusal = ofUser === undefined ? "unknown user" : "not a key of this user";
  return granted ?? answers[0] ?? (certificate === undefined ? nobody : "the certificate's authority is not trusted");
};

const checkProof = (
  attempt: KeyAttempt,
  proof: NonNullable<KeyAttempt["proof"]>,
  offer: Offer,
  grant: Grant,
): KeyRefusal | { readonly fido: FidoFlags | undefined } => {
  const signed = decodeSignedRequest(proof.signed);
  const isThis =
    signed.user === attempt.claimedUser &&
    signed.algorithm === attempt.algorithm &&
    signed.keyBlob.equals(attempt.keyBlob);
  if (!isThis) return "the signed request is another one";
  const check = checkSignature(offer.key, new Set([offer.signatureAlgorithm]), proof.signed, proof.signature);
  if (!check.right) return "the signature is wrong";
  if (check.fido === undefined) {
    // OpenSSH lets this pass; a certificate that asks for a PIN would then be met by a key in a file.
    return grant.verifyRequired ? "a PIN is required, and this key can't tell" : { fido: undefined };
  }
  if (grant.touchRequired && !check.fido.userPresent) return "the FIDO key was not touched";
  if (grant.verifyRequired && !check.fido.userVerified) return "the FIDO key was used without its PIN";
  return { fido: check.fido };
};

const judge = (attempt: KeyAttempt, trust: KeyTrust, nowMs: number): KeyVerdict => {
  if (attempt.keyBlob.length === 0) return { kind: "refused", reason: "no key" };
  const offer = decodeOffer(attempt);
  if (typeof offer === "string") {
    return { kind: "refused", reason: offer, keyFingerprint: fingerprintOf(attempt.keyBlob) };
  }
  const { certificate, user } = offer;
  const shown = {
    keyFingerprint: fingerprintOf(offer.key.blob),
    ...(certificate === undefined
      ? {}
      : {
          certificate: {
            keyId: certificate.keyId,
            serial: String(certificate.serial),
            authority: fingerprintOf(certificate.authority.blob),
          },
        }),
  };
  const refused = (reason: KeyRefusal): KeyVerdict => ({ kind: "refused", reason, ...shown });
  // Every answer takes the same steps, so that its time says nothing about who exists here.
  const grant = findGrant(offer, attempt, trust, nowMs);
  const revocation = trust.findRevocation(offer.key.blob, certificate);
  if (!isUserName(attempt.claimedUser)) return refused("not a user name");
  if (typeof grant === "string") return refused(grant);
  if (revocation !== undefined) return refused(revocation);
  if (!trust.mayConnect(user)) return refused("not in the required groups");
  if (attempt.proof === undefined) return { kind: "probe" };
  const proved = checkProof(attempt, attempt.proof, offer, grant);
  if (typeof proved === "string") return refused(proved);
  return {
    kind: "proved",
    connectedUser: user,
    ...shown,
    ...(proved.fido === undefined ? {} : { fido: proved.fido }),
    mayHaveTerminal: grant.mayHaveTerminal,
    ...(grant.forcedCommand === undefined ? {} : { forcedCommand: grant.forcedCommand }),
    ...(grant.expiresAt === undefined ? {} : { expiresAt: grant.expiresAt }),
  };
};

/**
 * May this client log in, now, from there, with this key? Pure: the same attempt and trust give the same verdict.
 * Nothing is proven while there is no signature; the verdict is then at most "probe".
 */
export const judgeKey = (attempt: KeyAttempt, trust: KeyTrust, nowMs: number): KeyVerdict => {
  try {
    return judge(attempt, trust, nowMs);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const keyFingerprint = fingerprintOf(attempt.keyBlob);
    return { kind: "refused", reason: "the key can't be accepted", detail: error.message, keyFingerprint };
  }
};
