import { EndpointError } from "../errors.ts";
import type { Problem, ReadOptions } from "./contract.ts";
import type { PasswordAccount } from "./password-account.ts";
import { pluralOfMany } from "../model/plural.ts";

/**
 * The file's structure is broken, so no more of it can be understood; `--skip-invalid` does not help.
 * Becomes an EndpointError in `readRecoveryFile`, which knows the file's name. Has no `cause` on purpose: the parsers'
 * own errors quote what they found, which may be a recovery password.
 */
export class BrokenFile extends Error {
  readonly line: number | undefined;

  constructor(line: number | undefined, message: string) {
    super(message);
    this.name = "BrokenFile";
    this.line = line;
  }
}

/** What a parser may say about the file besides its records. */
export interface Reading {
  /** As given with `--computer-name`. */
  readonly computerName: string | undefined;
  /** The name of a device, where `--device-names` has it. */
  deviceName(id: string): string | undefined;
  /**
   * A record that can't be taken: left out with `--skip-invalid`, else one of the problems that stop the file.
   *
   * @param holds the text of the record: recovery passwords in it are told by this
   */
  refuse(line: number, message: string, holds?: string): void;
  /**
   * A key that names no computer is filed under `--computer-name`. Throws at a second one: nothing in the file shows that
   * several are of one computer.
   *
   * @param what the key, or the part of the file that is of one computer
   */
  adopt(line: number, what: string): void;
  /** A protector that is no recovery information. */
  passOver(line: number): void;
  /** A computer of which the file says that it has no key. */
  withoutKey(line: number): void;
  /** The recovery passwords in `text` are those of a record that is stored, or was refused. */
  settle(text: string): void;
  /** Where the first recovery password in `text` stands that was not settled. */
  lineOf(text: string): number | undefined;
}

/** As many as fit on a screen; an administrator who sees twenty of a kind knows the kind. */
const mostProblems = 20;

/** Collects a file's problems and counts what was found, so that one error can tell all of it. */
export class FileReading implements Reading {
  readonly computerName: string | undefined;
  readonly #file: string;
  readonly #options: ReadOptions;
  readonly #problems: Problem[] = [];
  readonly #account: PasswordAccount;
  readonly #told = new Set<number>();
  #adopted: string | undefined;
  #refused = 0;
  #passedOver = 0;
  #withoutKey = 0;
  #taken = 0;

  constructor(file: string, computerName: string | undefined, options: ReadOptions, account: PasswordAccount) {
    this.#file = file;
    this.#account = account;
    this.computerName = computerName;
    this.#options = options;
  }

  deviceName(id: string): string | undefined {
    return this.#options.deviceNames?.get(id.toLowerCase());
  }

  refuse(line: number, message: string, holds?: string): void {
    if (holds !== undefined) this.settle(holds);
    this.#told.add(line);
    this.#refused += 1;
    if (this.#options.onSkipped !== undefined) {
      this.#options.onSkipped({ line, message });
      return;
    }
    this.#problems.push({ line, message });
    if (this.#problems.length >= mostProblems) throw this.#refusal("; there may be more");
  }

  adopt(line: number, what: string): void {
    this.#adopted ??= what;
    if (this.#adopted === what) return;
    throw new BrokenFile(
      line,
      "a second key without a computer begins here, and the file may hold keys of several computers. " +
        "Add a column ComputerName, or name yours: --column Computer=NAME.",
    );
  }

  passOver(line: number): void {
    this.#passedOver += 1;
    this.#options.onPassedOver?.(line);
  }

  withoutKey(line: number): void {
    this.#withoutKey += 1;
    this.#options.onWithoutKey?.(line);
  }

  settle(text: string): void {
    this.#account.settle(text);
  }

  lineOf(text: string): number | undefined {
    return this.#account.lineOf(text);
  }

  /** A record was read. @returns false when it is of no use, because the file is refused anyway */
  take(): boolean {
    this.#taken += 1;
    return this.#problems.length === 0;
  }

  /** The whole file was read. Throws what has to be said about it. */
  finish(): void {
    for (const line of this.#account.openLines) {
      if (this.#told.has(line)) continue;
      this.refuse(line, "the recovery password here has no clear key id.");
    }
    if (this.#problems.length > 0) throw this.#refusal("");
    if (this.#taken > 0 || this.#refused > 0) return;
    const left = [
      ...(this.#passedOver === 0 ? [] : [`${pluralOfMany(this.#passedOver, "other protector")} passed over`]),
      ...(this.#withoutKey === 0 ? [] : [`${pluralOfMany(this.#withoutKey, "computer")} without a key`]),
    ];
    const others = left.length === 0 ? "" : ` (${left.join(", ")})`;
    throw new EndpointError(
      "InvalidArgument",
      `${this.#file}: nothing to import: it holds no recovery password and no other recovery information${others}.`,
    );
  }

  broken(problem: BrokenFile): EndpointError {
    if (this.#problems.length === 0) {
      const where = problem.line === undefined ? "" : `:${problem.line}`;
      return new EndpointError("InvalidArgument", `${this.#file}${where}: ${problem.message}`);
    }
    this.#problems.push({ line: problem.line ?? 0, message: problem.message });
    return this.#refusal("");
  }

  #refusal(more: string): EndpointError {
    const head = `${this.#file}: nothing of it was imported: ${pluralOfMany(this.#problems.length, "problem")}${more}.`;
    const lines = this.#problems.map(({ line, message }) => `  line ${line}: ${message}`);
    return new EndpointError("InvalidArgument", [head, ...lines].join("\n"));
  }
}
