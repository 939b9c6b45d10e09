import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pair {
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

/** Made once: an RSA key takes a while. */
let pair: Pair | undefined;
const subject = "/CN=BitLocker Management";
const makePair = (): Pair => {
  const directory = mkdtempSync(join(tmpdir(), "pep-model-"));
  try {
    const [key, certificate] = [join(directory, "key.pem"), join(directory, "certificate.pem")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        subject,
        "-keyout",
        key,
        "-out",
        certificate,
      ],
      { stdio: "pipe" },
    );
    return {
      certificate: new X509Certificate(readFileSync(certificate)).raw,
      privateKey: createPrivateKey(readFileSync(key)),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/** A certificate as Microsoft's script makes it, with its key; the same one each time. */
export const certificatePair = (): Pair => (pair ??= makePair());
