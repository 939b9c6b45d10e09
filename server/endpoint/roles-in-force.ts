import { loadRolesFile, type LoadedRoles } from "../authorization/roles-file.ts";
import { commands } from "../../commands/index.ts";

/** The roles that hold now: those of the start, until a reload finds others that are sound. */
export class RolesInForce {
  readonly path: string;
  #current: LoadedRoles;

  /** @throws EndpointError for roles that can't be used */
  constructor(path: string) {
    this.path = path;
    this.#current = loadRolesFile(path, commands);
  }

  get current(): LoadedRoles {
    return this.#current;
  }

  /** @throws EndpointError for roles that can't be used; those in force stay */
  reload(): LoadedRoles {
    this.#current = loadRolesFile(this.path, commands);
    return this.#current;
  }
}
