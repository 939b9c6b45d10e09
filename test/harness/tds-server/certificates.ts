import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsIdentity } from "./tls.ts";

export interface TestCertificates {
  /** For `localhost` and 127.0.0.1, signed by `authority`. */
  readonly server: TlsIdentity;
  /** For another name, signed by `authority`. */
  readonly otherName: TlsIdentity;
  readonly otherNameHost: string;
  /** For `localhost` and 127.0.0.1, signed by `otherAuthority`. */
  readonly otherIssuer: TlsIdentity;
  /** PEM of the authority a client should trust, and of one it should not; and their files. */
  readonly authority: string;
  readonly otherAuthority: string;
  readonly authorityFile: string;
  readonly otherAuthorityFile: string;
}

const otherNameHost = "sql.contoso.example";

/** Makes two authorities and three server certificates in `directory` with the `openssl` command; they last two days. */
export const makeTestCertificates = (directory: string): TestCertificates => {
  const file = (name: string): string => join(directory, name);
  // An own configuration: the system's may add extensions of its own.
  writeFileSync(file("openssl.cnf"), "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=unused\n");
  const make = (name: string, subject: string, extensions: readonly string[], issuer?: string): TlsIdentity => {
    const signing = issuer === undefined ? [] : ["-CA", file(`${issuer}.pem`), "-CAkey", file(`${issuer}.key`)];
    execFileSync(
      "openssl",
      [
        ["req", "-x509", "-config", file("openssl.cnf"), "-days", "2", "-sha256", "-nodes"],
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", `/CN=${subject}`],
        ["-keyout", file(`${name}.key`), "-out", file(`${name}.pem`), ...signing],
        extensions.flatMap((extension) => ["-addext", extension]),
      ].flat(),
      { stdio: "pipe" },
    );
    return { key: readFileSync(file(`${name}.key`), "utf8"), cert: readFileSync(file(`${name}.pem`), "utf8") };
  };
  const forAuthority = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
  const forServer = (names: string): readonly string[] => [
    "basicConstraints=critical,CA:FALSE",
    "extendedKeyUsage=serverAuth",
    `subjectAltName=${names}`,
  ];
  const here = forServer("DNS:localhost,IP:127.0.0.1");
  const authority = make("authority", "pep test authority", forAuthority);
  const otherAuthority = make("other-authority", "another test authority", forAuthority);
  return {
    server: make("server", "localhost", here, "authority"),
    otherName: make("other-name", otherNameHost, forServer(`DNS:${otherNameHost}`), "authority"),
    otherNameHost,
    otherIssuer: make("other-issuer", "localhost", here, "other-authority"),
    authority: authority.cert,
    otherAuthority: otherAuthority.cert,
    authorityFile: file("authority.pem"),
    otherAuthorityFile: file("other-authority.pem"),
  };
};
