import { WireError, WireReader } from "./wire.ts";

/** What a client signed when it proved its key (RFC 4252 §7). */
export interface SignedRequest {
  readonly user: string;
  readonly algorithm: string;
  readonly keyBlob: Buffer;
}

/** Reads the exact bytes that were signed. Nothing else about a log-in may be believed, as only these are covered. */
export const decodeSignedRequest = (signed: Uint8Array): SignedRequest => {
  const reader = new WireReader(signed);
  if (reader.bytes().length === 0) throw new WireError("no session identifier");
  if (reader.byte() !== 50) throw new WireError("not a USERAUTH_REQUEST");
  const user = reader.utf8();
  if (reader.ascii() !== "ssh-connection") throw new WireError("another service");
  if (reader.ascii() !== "publickey") throw new WireError("another method");
  if (reader.byte() === 0) throw new WireError("a probe, not a proof");
  const algorithm = reader.ascii();
  const keyBlob = reader.bytes();
  reader.end();
  return { user, algorithm, keyBlob };
};
