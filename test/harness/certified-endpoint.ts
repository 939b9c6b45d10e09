import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type DemoUser, type Endpoint, makeDemo, run, startEndpoint } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface CertifiedEndpoint {
  readonly endpoint: Endpoint;
  /** Options for ssh that log in by a new key with a certificate of the trusted authority. */
  certify(user: DemoUser, more?: readonly string[]): Promise<Certified>;
  /** Options for ssh that log in by a new key of the user's own file, with these options in front of it. */
  authorize(user: DemoUser, keyOptions: string): Promise<readonly string[]>;
  /** Puts another text in the place of a file of the data directory. */
  replace(name: string, content: string | Uint8Array): void;
  read(name: string): string;
  /** Revokes by a KRL that ssh-keygen makes. */
  revoke(publicKeyPath: string): Promise<void>;
  /** SIGHUP; resolves when it is on the record. */
  reload(): Promise<void>;
  /** Resolves when the session of this user is over, with its reason on the record. */
  endOf(user: string): Promise<string | undefined>;
}

interface Certified {
  readonly options: readonly string[];
  readonly publicKeyPath: string;
}

const generate = (path: string) => run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);

/** A demo that trusts a certificate authority and reads a list of revoked keys, empty as yet. */
export const startCertifiedEndpoint = async (): Promise<CertifiedEndpoint> => {
  const directory = temporaryDirectory();
  const dataDirectory = join(directory, "pep");
  const at = (name: string): string => join(dataDirectory, name);
  await makeDemo(dataDirectory, { trustedUserCAKeys: "authorities", revokedKeys: "revoked" });
  const replace: CertifiedEndpoint["replace"] = (name, content) => {
    writeFileSync(at(`${name}.new`), content, { mode: 0o600 });
    renameSync(at(`${name}.new`), at(name));
  };
  mkdirSync(join(directory, "clients"));
  const authority = join(directory, "authority");
  await generate(authority);
  replace("authorities", readFileSync(`${authority}.pub`));
  replace("revoked", "# nobody\n");
  const endpoint = await startEndpoint({ dataDirectory });
  let made = 0;
  const newKey = async (): Promise<string> => {
    const path = join(directory, "clients", String((made += 1)));
    await generate(path);
    return path;
  };
  const only = (path: string, more: readonly string[] = []) => ["-o", "IdentityFile=none", "-i", path, ...more];
  return {
    endpoint,
    replace,
    read: (name) => readFileSync(at(name), "utf8"),
    async certify(user, more = []) {
      const path = await newKey();
      const signed = await run("ssh-keygen", ["-q", "-s", authority, "-I", user, "-n", user, ...more, `${path}.pub`]);
      expect(signed.status, signed.stderr).toBe(0);
      return { options: only(path, ["-o", `CertificateFile=${path}-cert.pub`]), publicKeyPath: `${path}.pub` };
    },
    async authorize(user, keyOptions) {
      const path = await newKey();
      const before = readFileSync(at(join("authorized-keys", user)), "utf8");
      replace(join("authorized-keys", user), `${before}${keyOptions} ${readFileSync(`${path}.pub`, "utf8")}`);
      return only(path);
    },
    async revoke(publicKeyPath) {
      const list = join(directory, "list");
      const made = await run("ssh-keygen", ["-q", "-k", "-f", list, publicKeyPath]);
      expect(made.status, made.stderr).toBe(0);
      replace("revoked", readFileSync(list));
    },
    async reload() {
      // The roles are the last to be recorded.
      const count = (): number =>
        endpoint.events().filter((event) => event.type === "configuration-loaded" && event.what === "roles").length;
      const before = count();
      endpoint.signal("SIGHUP");
      await expect.poll(count).toBeGreaterThan(before);
    },
    async endOf(user) {
      const ended = () =>
        endpoint.events().find((event) => event.type === "session-ended" && event.connectedUser === user);
      await expect.poll(ended, { timeout: 30_000 }).toBeDefined();
      const event = ended();
      return event?.type === "session-ended" ? event.reason : undefined;
    },
  };
};
