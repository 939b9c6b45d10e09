/**
 * Who somebody is, as far as it was proved: a user name, the key that signed, and the certificate that came with the key.
 * A person may have several of each, so none of them alone tells two people apart.
 */
export interface Party {
  readonly connectedUser: string;
  /** `SHA256:…` of the key that signed, also when a certificate came with it. */
  readonly keyFingerprint: string;
  /** As the record has it: the authority by fingerprint, the key id as readable text. */
  readonly certificate?: CertifiedIdentity | undefined;
}

export interface CertifiedIdentity {
  readonly authority: string;
  readonly keyId: string;
}

/** What a record says of a party; records from before certificates were kept lack theirs. */
export type RecordedParty = { readonly [Field in keyof Party]?: Party[Field] | undefined };

const sameCertificate = (a: CertifiedIdentity | undefined, b: CertifiedIdentity | undefined): boolean =>
  a !== undefined && b !== undefined && a.authority === b.authority && a.keyId === b.keyId;

const sameText = (a: string | undefined, b: string | undefined): boolean => a !== undefined && a === b;

/**
 * Whether these can be one person: the same user, the same key, or the same key id of the same authority. Any match counts.
 * An empty key id names nobody, so two of them may be anybody: they match.
 */
export const sameParty = (a: RecordedParty, b: RecordedParty): boolean =>
  sameText(a.connectedUser, b.connectedUser) ||
  sameText(a.keyFingerprint, b.keyFingerprint) ||
  sameCertificate(a.certificate, b.certificate);

/**
 * Names for counting what one person uses up: the key and the certificate's key id, by whatever user name. An empty key id is
 * left out: whoever has one would use up the limits of everybody else who has one.
 */
export const proofsOf = ({ keyFingerprint, certificate }: RecordedParty): readonly string[] => [
  ...(keyFingerprint === undefined ? [] : [`key ${keyFingerprint}`]),
  ...(certificate === undefined || certificate.keyId === ""
    ? []
    : [`certificate ${certificate.authority} ${certificate.keyId}`]),
];

/** The same, and the user: a limit is reached when one of them reaches it. */
export const identitiesOf = (party: RecordedParty): readonly string[] => [
  ...(party.connectedUser === undefined ? [] : [`user ${party.connectedUser}`]),
  ...proofsOf(party),
];

/** Without the rest of what is known: a party as it stands in an event. */
export const recordOf = ({ keyFingerprint, certificate }: Party) => ({
  keyFingerprint,
  ...(certificate === undefined ? {} : { certificate: { authority: certificate.authority, keyId: certificate.keyId } }),
});
