import type { KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readCredentials, type Credentials } from "../audit-forwarding/connection.ts";
import { pathsIn, type Configuration } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { readAuthorizedKeys, type AuthorizedKeys } from "../identity/authorized-keys.ts";
import { createKeyAuthenticator, readTrustAnchors, type TrustAnchors } from "../identity/key-authenticator.ts";
import type { Authenticator, SecondFactor } from "../identity/log-in.ts";
import { CodeDelay } from "../identity/second-factor/code-delay.ts";
import { FactorStore } from "../identity/second-factor/factor-store.ts";
import { createSecondFactor } from "../identity/second-factor/judge-code.ts";
import type { Runtime } from "../runtime.ts";
import { lookAtMachine, type Machine } from "../session/interactive/accounts/machine.ts";
import { readLogKey, readPrivateKey } from "./private-key.ts";
import { RolesInForce } from "./roles-in-force.ts";
import type { Start } from "./start.ts";

/** Who somebody is, and whether a code proves it. */
interface LogIn {
  readonly keys: AuthorizedKeys;
  readonly anchors: TrustAnchors;
  readonly authenticator: Authenticator;
  readonly codeDelay: CodeDelay;
  readonly secondFactor: SecondFactor;
}

/** What a start reads before it opens anything: where one of these is missing or unsound, nothing was touched. */
export interface Inputs extends LogIn {
  readonly hostKeyPem: string;
  readonly logKey: KeyObject;
  readonly roles: RolesInForce;
  readonly uiBundle: string;
  /** A directory may take its time, so it is asked now, and needed when screens are. */
  readonly machine: Promise<Machine>;
  /** Of the receiver of the record, where there is one; read for every connection. */
  readonly syslogCredentials: (() => Credentials) | undefined;
}

const findUiBundle = (packageRoot: string): string => {
  const bundle = join(packageRoot, "dist", "ui", "ui.mjs");
  if (existsSync(bundle)) return bundle;
  throw new EndpointError("ObjectNotFound", `${bundle} is missing; run: npm run build`);
};

const readLogIn = (configuration: Configuration, roles: RolesInForce, runtime: Runtime): LogIn => {
  const paths = pathsIn(configuration.dataDirectory);
  const now = (): number => runtime.now().getTime();
  const keys = readAuthorizedKeys(paths.authorizedKeys);
  keys.problems.forEach(runtime.report);
  const anchors = readTrustAnchors(configuration);
  const authenticator = createKeyAuthenticator({
    authorizedKeys: keys,
    anchors,
    // The roles in force when somebody logs in, not those of the start.
    groupsOf: (user) => roles.current.groupsOf(user),
    mayConnect: (user) => roles.current.mayConnect(user),
    now,
  });
  const codeDelay = new CodeDelay();
  const secondFactor = createSecondFactor({
    store: new FactorStore({
      factors: paths.secondFactors,
      uses: paths.secondFactorUses,
      keyFile: configuration.secondFactorKey,
    }),
    delay: codeDelay,
    isRequired: (user) => roles.current.whySecondFactor(user).length > 0,
    now,
  });
  return { keys, anchors, authenticator, codeDelay, secondFactor };
};

/** @throws EndpointError for the first thing that is missing or unsound */
export const readInputs = ({ configuration, runtime, surroundings }: Start): Inputs => {
  const paths = pathsIn(configuration.dataDirectory);
  const hostKeyPem = readPrivateKey(paths.hostKey, "host key");
  const logKey = readLogKey(paths.logKey);
  const roles = new RolesInForce(surroundings.rolesPath);
  const uiBundle = findUiBundle(surroundings.host.packageRoot);
  const logIn = readLogIn(configuration, roles, runtime);
  const machine = lookAtMachine({
    program: process.execPath,
    bundle: uiBundle,
    range: configuration.userInterface.accounts,
    unanswered: runtime.report,
  });
  machine.catch(() => undefined); // awaited by the stage of screens
  const { syslog } = configuration;
  const syslogCredentials = syslog && (() => readCredentials(syslog));
  syslogCredentials?.();
  return { ...logIn, hostKeyPem, logKey, roles, uiBundle, machine, syslogCredentials };
};
