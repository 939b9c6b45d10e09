import type { Configuration } from "../configuration.ts";
import type { Runtime } from "../runtime.ts";

/** The machine, and the installed program on it. */
export interface Host {
  readonly hostName: string;
  /** Folder with package.json, jea-roles.json and the built UI. */
  readonly packageRoot: string;
  readonly version: string;
  /** systemd's $CREDENTIALS_DIRECTORY, where the service has one. */
  readonly credentialsDirectory: string | undefined;
}

/** What a start needs beside its configuration. */
export interface Surroundings {
  readonly host: Host;
  readonly rolesPath: string;
  /** Gives up the reading of a long record. */
  readonly stop: AbortSignal;
}

/** What every stage of a start is given. */
export interface Start {
  readonly configuration: Configuration;
  readonly runtime: Runtime;
  readonly surroundings: Surroundings;
  /** Takes what a stage opened, to be closed last opened first. */
  readonly opened: AsyncDisposableStack;
}
