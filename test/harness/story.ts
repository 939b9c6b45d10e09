import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import type { DemoUser, Endpoint } from "./endpoint.ts";

/** One scene of a story: its name, and its lines with their numbers in the file. */
export interface Scene {
  readonly name: string;
  readonly lines: readonly (readonly [number: number, text: string])[];
}

/** Splits a story at its `-- name --` lines. Comments and empty lines are left out. */
export const scenesOf = (story: string): readonly Scene[] => {
  const scenes: { name: string; lines: [number, string][] }[] = [];
  for (const [index, text] of story.split("\n").entries()) {
    const name = /^-- (.+) --$/.exec(text)?.[1];
    if (name !== undefined) scenes.push({ name, lines: [] });
    else if (text.trim() !== "" && !text.startsWith("#")) {
      const scene = scenes.at(-1);
      if (scene === undefined) throw new Error(`line ${index + 1} stands before the first scene`);
      scene.lines.push([index + 1, text]);
    }
  }
  return scenes;
};

const users: readonly string[] = ["support", "exporter", "requester", "certadmin", "approver", "auditor", "guest"];
const isUser = (word: string): word is DemoUser => users.includes(word);

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `/a pattern/`, a piece of text, or nothing for an empty output. */
const fits = (output: string, wanted: string): boolean => {
  if (wanted === "") return output === "";
  const pattern = /^\/(.+)\/$/.exec(wanted)?.[1];
  return pattern === undefined ? output.includes(wanted) : new RegExp(pattern, "m").test(output);
};

const loadRoles = async (endpoint: Endpoint, text: string): Promise<void> => {
  const loads = (): number => endpoint.events().filter(({ type }) => type === "configuration-loaded").length;
  const before = loads();
  writeFileSync(join(endpoint.dataDirectory, "jea-roles.json"), text);
  endpoint.signal("SIGHUP");
  // Roles and keys, an event each.
  await expect.poll(loads).toBeGreaterThan(before + 1);
};

/** What a scene remembers. `test/attacks/README.md` has the words of a story. */
class Performance {
  #answer: Answer = { status: null, stdout: "", stderr: "" };
  readonly #kept = new Map<string, Answer>();
  readonly #words = new Map<string, string>();
  readonly #eventsBefore: number;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#eventsBefore = endpoint.events().length;
  }

  async perform(text: string): Promise<void> {
    const mustFail = text.startsWith("! ");
    const [, verb = "", rest = ""] = /^(\S+) ?(.*)$/.exec(mustFail ? text.slice(2) : text) ?? [];
    const said = rest.replaceAll(/\$(\w+)/g, (whole, name: string) => this.#words.get(name) ?? whole);
    if (isUser(verb)) {
      this.#answer = await this.#endpoint.ssh(verb, said);
      this.#must(this.#answer.status === 0, mustFail);
    } else if (verb === "keep") this.#kept.set(said, this.#answer);
    else if (rest.startsWith("= ")) this.#remember(verb, rest.slice(2));
    else this.#must(this.#holds(verb, said), mustFail);
  }

  #must(holds: boolean, mustFail: boolean): void {
    if (holds === mustFail) throw new Error(`the last answer is ${JSON.stringify(this.#answer)}`);
  }

  #holds(verb: string, said: string): boolean {
    const { status, stdout, stderr } = this.#answer;
    if (verb === "status") return status === Number(said);
    if (verb === "stdout") return fits(stdout, said);
    if (verb === "stderr") return fits(stderr, said);
    if (verb === "event") return this.#recorded(said);
    if (verb !== "like") throw new Error(`a story has no word "${verb}"`);
    const kept = this.#kept.get(said);
    if (kept === undefined) throw new Error(`nothing was kept as "${said}"`);
    return isDeepStrictEqual([status, stdout, stderr], [kept.status, kept.stdout, kept.stderr]);
  }

  #remember(name: string, pattern: string): void {
    const { stdout, stderr } = this.#answer;
    const found = new RegExp(pattern).exec(`${stdout}\n${stderr}`)?.[0];
    if (found === undefined) throw new Error(`no ${pattern} in ${JSON.stringify(this.#answer)}`);
    this.#words.set(name, found);
  }

  #recorded(said: string): boolean {
    const [type, ...wanted] = said.split(" ");
    return this.#endpoint
      .events()
      .slice(this.#eventsBefore)
      .filter((event) => event.type === type)
      .some((event) =>
        wanted.every((one) => {
          const [field = "", value = ""] = one.split("=");
          return Object.entries(event).some(([key, found]) => key === field && String(found) === value);
        }),
      );
  }
}

/** Plays a scene on a running demo, which has the shipped roles again afterwards. */
export const play = async (endpoint: Endpoint, { lines }: Scene): Promise<void> => {
  const shipped = readFileSync(join(endpoint.dataDirectory, "jea-roles.json"), "utf8");
  const isOfRoles = ([, text]: Scene["lines"][number]): boolean => text === "roles" || text.startsWith("  ");
  const roles = lines.filter(isOfRoles).map(([, text]) => text);
  if (roles.length > 0) await loadRoles(endpoint, roles.slice(1).join("\n"));
  try {
    const performance = new Performance(endpoint);
    for (const [number, text] of lines.filter((line) => !isOfRoles(line))) {
      await performance.perform(text).catch((error: unknown) => {
        throw new Error(`line ${number}: ${text}`, { cause: error });
      });
    }
  } finally {
    if (roles.length > 0) await loadRoles(endpoint, shipped);
  }
};
