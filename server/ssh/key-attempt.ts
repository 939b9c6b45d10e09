import type { PublicKeyAuthContext } from "ssh2";
import type { KeyAttempt, RefusedKey } from "../identity/log-in.ts";
import { signatureIn } from "../identity/signature.ts";
import { WireError } from "../identity/wire.ts";

/** The name the client sent: ssh2 rewrites both rsa-sha2 names to `ssh-rsa` and keeps the hash beside. */
export const requestedAlgorithm = (context: PublicKeyAuthContext): string => {
  const raw: unknown = context.key.algo; // undefined when the request held none, whatever the types say
  if (context.hashAlgo !== undefined) return `rsa-sha2-${context.hashAlgo.replace(/^sha/, "")}`;
  return typeof raw === "string" ? raw : "";
};

/** What ssh2 read, as the client sent it, or why it can't be judged. */
export const readAttempt = (context: PublicKeyAuthContext, clientAddress: string): KeyAttempt | RefusedKey => {
  const rawKey: unknown = context.key.data; // undefined when the request held none
  const algorithm = requestedAlgorithm(context);
  const { blob, signature } = context;
  try {
    return {
      claimedUser: context.username,
      clientAddress,
      algorithm,
      keyBlob: Buffer.isBuffer(rawKey) ? rawKey : Buffer.alloc(0),
      proof:
        signature === undefined ? undefined : { signed: blob ?? Buffer.alloc(0), signature: signatureIn(signature) },
    };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { kind: "refused", reason: "the signature is wrong", detail: error.message };
  }
};
