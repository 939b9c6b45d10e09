import { inspect } from "node:util";

/**
 * What is secret beside recovery keys: a package for damaged volumes (`repair-bde -kp`); where the means for another protector of a volume
 * is, an external key's file or a certificate; the hash of a TPM's owner password.
 */
export const otherSecrets = ["recovery-package", "protector", "tpm-password-hash"] as const;
export type OtherSecret = (typeof otherSecrets)[number];

/** What a recovery key belongs to. Not secret: it goes on the record when the key is disclosed. */
export interface SecretLabel {
  /** GUID of the key protector, upper case, without braces. */
  readonly keyId: string;
  readonly computerName: string;
  /** What it is, where it is no recovery key. */
  readonly what?: OtherSecret;
}

const mask = "•••";

/** Reads a secret's text. Set once, by the class below: the only code that can see the private field. */
let open: (secret: Secret) => string;

/**
 * A text that must not reach a log, a transcript, an error or a dump: recovery key, password.
 * Every conversion a logger or template would use gives `•••`; only `revealSecret` gives the text.
 */
export class Secret {
  readonly #text: string;
  /** Set on recovery keys, absent on passwords. */
  readonly label: SecretLabel | undefined;

  static {
    open = (secret) => secret.#text;
  }

  constructor(text: string, label?: SecretLabel) {
    this.#text = text;
    this.label = label;
  }

  toString(): string {
    return mask;
  }

  toJSON(): string {
    return mask;
  }

  [Symbol.toPrimitive](): string {
    return mask;
  }

  [inspect.custom](): string {
    return mask;
  }
}

/**
 * The text of a secret. `test/architecture.test.ts` lists the few files that may import this: `session/disclose.ts` for
 * recovery keys, the site database's adapters for what they encrypt, and the master key's reader.
 */
export const revealSecret = (secret: Secret): string => open(secret);
