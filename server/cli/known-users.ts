import { existsSync, readdirSync } from "node:fs";
import type { KnownUsers } from "../authorization/find-warnings.ts";
import type { pathsIn } from "../configuration.ts";
import { FactorStore } from "../identity/second-factor/factor-store.ts";
import { readAuthorizedKeys } from "../identity/authorized-keys.ts";
import { readTrustAnchors, type TrustFiles } from "../identity/key-authenticator.ts";
import { fingerprintOf } from "../identity/public-key.ts";

type Paths = Pick<ReturnType<typeof pathsIn>, "authorizedKeys" | "secondFactors" | "secondFactorUses">;

/** Users with a second factor. */
export const enrolledUsers = ({ secondFactors, secondFactorUses }: Paths): readonly string[] =>
  new FactorStore({ factors: secondFactors, uses: secondFactorUses, keyFile: "" }).users();

/**
 * What a data directory says of its users; `undefined` where it has no folder of keys.
 *
 * @throws EndpointError when the folder of keys can't be used
 */
export const findKnownUsers = (
  paths: Paths,
  { trustedUserCAKeys }: Pick<TrustFiles, "trustedUserCAKeys">,
): KnownUsers | undefined => {
  if (!existsSync(paths.authorizedKeys)) return undefined;
  const keys = readAuthorizedKeys(paths.authorizedKeys);
  const authorities = readTrustAnchors({ trustedUserCAKeys, revokedKeys: undefined }).authorities();
  const certificate = (authority: string, principal: string): string =>
    `a certificate of ${authority} for ${principal}`;
  return {
    users: readdirSync(paths.authorizedKeys),
    enrolled: enrolledUsers(paths),
    trustsAuthorities: trustedUserCAKeys !== undefined,
    proofsOf: (user, groups) => [
      ...(keys.keysOf(user) ?? []).flatMap(({ key, options }) => {
        const fingerprint = fingerprintOf(key);
        if (!options.certAuthority) return [`the key ${fingerprint}`];
        return (options.principals ?? [user]).map((principal) => certificate(fingerprint, principal));
      }),
      ...authorities.flatMap((authority) =>
        [user, ...groups.map((group) => `group:${group}`)].map((principal) => certificate(authority, principal)),
      ),
    ],
  };
};
