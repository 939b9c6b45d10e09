import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { EndpointError } from "../../errors.ts";
import { openFile } from "../../files/judge.ts";
import { replaceFile, synchronizeDirectory } from "../../files/replace-file.ts";
import { readTrustedSync } from "../../files/trusted-file.ts";
import { isCanonicalUserName } from "../../model/user-name.ts";
import { readSealingKey, seal, unseal } from "./sealing.ts";
import type { HashedCodes } from "./recovery-codes.ts";

const factorId = /^[0-9a-f]{16}$/;

const sealedFactor = z.strictObject({
  secret: z.base64(),
  /** The step of the code that confirmed it: used up from the start. */
  confirmedStep: z.int(),
  recovery: z.strictObject({ salt: z.base64(), hashes: z.array(z.base64()).min(1).max(100) }),
});
const sealedUse = z.strictObject({ step: z.int(), recoveryCodes: z.array(z.int().min(0)) });
const factorFile = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(factorId),
  enrolledAt: z.iso.datetime(),
  sealed: z.base64(),
});
const useFile = z.strictObject({ version: z.literal(1), sealed: z.base64() });

export interface Factor {
  readonly user: string;
  /** New with each enrolment. */
  readonly id: string;
  readonly enrolledAt: string;
  readonly secret: Buffer;
  readonly recovery: HashedCodes;
}

export interface Enrolment {
  readonly secret: Buffer;
  /** The step of the code that confirmed it: used up from the start. */
  readonly confirmedStep: number;
  readonly recovery: HashedCodes;
}

/** What of a factor is used up. */
export interface Use {
  /** The newest time step that was accepted. */
  readonly step: number;
  /** By their place. */
  readonly recoveryCodes: readonly number[];
}

export interface FactorPlaces {
  /** `state/second-factor/`: a file a user, written by `pep users` only. */
  readonly factors: string;
  /** `state/second-factor-use/`: a file a factor, written by the server only, but for the first. */
  readonly uses: string;
  /** The key that both are sealed with; elsewhere. */
  readonly keyFile: string;
}

const factorPurpose = (user: string, id: string, enrolledAt: string): string =>
  ["pep second factor 1", user, id, enrolledAt].join("\n");
const usePurpose = (user: string, id: string): string => ["pep second factor use 1", user, id].join("\n");

const damaged = (path: string, cause?: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", `${path} can't be read: damaged, changed, or sealed with another key.`, {
    cause,
  });

const readJson = <T>(path: string, shape: z.ZodType<T>): T => {
  try {
    return shape.parse(JSON.parse(readTrustedSync(path, openFile("second factor")).toString("utf8")));
  } catch (error) {
    throw damaged(path, error);
  }
};

/**
 * Second factors on disk, sealed. Nothing is kept in memory: what `pep users` does counts for the next log-in of a running server.
 *
 * Two files for each factor, so that two processes need no lock: an administrator's command writes who has which factor, the
 * server what of it is used up, under the factor's own id. A server that is late can't bring a removed factor back.
 */
export class FactorStore {
  readonly #places: FactorPlaces;
  readonly #synchronize: (file: FileHandle) => Promise<void>;

  constructor(places: FactorPlaces, synchronize: (file: FileHandle) => Promise<void> = (file) => file.sync()) {
    this.#places = places;
    this.#synchronize = synchronize;
  }

  #factorPath(user: string): string {
    if (!isCanonicalUserName(user)) throw new EndpointError("InvalidArgument", "That is no user's name.");
    return join(this.#places.factors, user);
  }

  #usePath(id: string): string {
    return join(this.#places.uses, id);
  }

  async #write(path: string, content: unknown): Promise<void> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, `${JSON.stringify(content)}\n`, this.#synchronize);
  }

  #withKey<T>(act: (key: Buffer) => T): T {
    const key = readSealingKey(this.#places.keyFile);
    try {
      return act(key);
    } finally {
      key.fill(0);
    }
  }

  /** @throws EndpointError ResourceUnavailable when the key can't be used: before anybody is asked for anything */
  examineKey(): void {
    this.#withKey(() => undefined);
  }

  users(): readonly string[] {
    const { factors } = this.#places;
    return existsSync(factors)
      ? readdirSync(factors)
          .filter((name) => isCanonicalUserName(name))
          .sort()
      : [];
  }

  isEnrolled(user: string): boolean {
    return isCanonicalUserName(user) && existsSync(this.#factorPath(user));
  }

  /** @returns undefined when the user has none @throws EndpointError ResourceUnavailable when it can't be read */
  find(user: string): Factor | undefined {
    const path = this.#factorPath(user);
    if (!existsSync(path)) return undefined;
    const { id, enrolledAt, sealed } = readJson(path, factorFile);
    return this.#withKey((key) => {
      try {
        const opened: unknown = JSON.parse(unseal(key, factorPurpose(user, id, enrolledAt), sealed));
        const { secret, recovery } = sealedFactor.parse(opened);
        return {
          user,
          id,
          enrolledAt,
          secret: Buffer.from(secret, "base64"),
          recovery: {
            salt: Buffer.from(recovery.salt, "base64"),
            hashes: recovery.hashes.map((hash) => Buffer.from(hash, "base64")),
          },
        };
      } catch {
        throw damaged(path); // no cause: a parser's words may quote what it read
      }
    });
  }

  /** @throws EndpointError ResourceUnavailable also when it is missing: nobody can then tell what was used */
  findUse({ user, id }: Factor): Use {
    const path = this.#usePath(id);
    const { sealed } = readJson(path, useFile);
    return this.#withKey((key) => {
      try {
        return sealedUse.parse(JSON.parse(unseal(key, usePurpose(user, id), sealed)));
      } catch {
        throw damaged(path);
      }
    });
  }

  /** Resolves when it is durable. */
  async storeUse({ user, id }: Pick<Factor, "user" | "id">, use: Use): Promise<void> {
    const sealed = this.#withKey((key) => seal(key, usePurpose(user, id), JSON.stringify(use)));
    await this.#write(this.#usePath(id), { version: 1, sealed });
  }

  /** In the place of the factor that the user had, if any. Resolves when it is durable. */
  async enrol(user: string, { secret, confirmedStep, recovery }: Enrolment, at: Date): Promise<void> {
    const path = this.#factorPath(user);
    const before = this.#idOf(path);
    const id = randomBytes(8).toString("hex");
    const enrolledAt = at.toISOString();
    const content = JSON.stringify({
      secret: secret.toString("base64"),
      confirmedStep,
      recovery: {
        salt: recovery.salt.toString("base64"),
        hashes: recovery.hashes.map((hash) => hash.toString("base64")),
      },
    });
    const sealed = this.#withKey((key) => seal(key, factorPurpose(user, id, enrolledAt), content));
    await this.storeUse({ user, id }, { step: confirmedStep, recoveryCodes: [] });
    await this.#write(path, { version: 1, id, enrolledAt, sealed });
    if (before !== undefined) await rm(this.#usePath(before), { force: true });
  }

  /** @returns whether there was one */
  async remove(user: string): Promise<boolean> {
    const path = this.#factorPath(user);
    if (!existsSync(path)) return false;
    const id = this.#idOf(path);
    await rm(path, { force: true });
    await synchronizeDirectory(dirname(path));
    if (id !== undefined) await rm(this.#usePath(id), { force: true });
    return true;
  }

  /** A factor that can't be read must still be replaced and removed. */
  #idOf(path: string): string | undefined {
    try {
      return existsSync(path) ? readJson(path, factorFile).id : undefined;
    } catch {
      return undefined;
    }
  }
}
