/**
 * `npm run generate`: writes what the documents say of the code's own tables, and the published JSON Schemas. With `--check` (in
 * `npm run check`) it writes nothing and fails where a file says something else.
 *
 * A document is written by hand; between `<!-- generated: NAME -->` and `<!-- end -->` stands the part of that name.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "./commands/index.ts";
import { codesOf } from "./server/audit-forwarding/event-codes.ts";
import { auditEventJsonSchema, auditEventTypes } from "./server/audit/event.ts";
import { rolesFile, rolesJsonSchema } from "./server/authorization/roles-schema.ts";
import { endpointJsonSchema } from "./server/configuration.ts";
import { failures } from "./server/errors.ts";
import { imports, roomOf } from "./test/harness/imports.ts";

const root = import.meta.dirname;

/** What of a JSON Schema the documents show; `unit` and `leftOut` are given by `meta()`. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly unit?: string;
  readonly leftOut?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly $ref?: string;
}

// A JSON Schema is what zod makes of its own; its type says no more than that it is an object.
const schemaOf = (made: unknown): Schema => made as Schema;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const code = (value: unknown): string => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

const branchesOf = ({ anyOf, oneOf }: Schema): readonly Schema[] => anyOf ?? oneOf ?? [];

/** Which values a setting may have, in a few words. */
const valuesOf = (schema: Schema): string => {
  const { minimum, maximum, type = "", items, properties, additionalProperties } = schema;
  if (schema.$ref !== undefined) return "such a condition";
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((one) => code(JSON.stringify(one))).join(", ");
  const branches = branchesOf(schema);
  if (branches.length > 0) return [...new Set(branches.map(valuesOf))].join(", or ");
  if (items !== undefined) return `list of: ${valuesOf(items)}`;
  if (properties !== undefined || typeof additionalProperties === "object") return "object";
  if (type !== "integer" && type !== "number") return type === "string" ? "text" : type;
  if (minimum === undefined || maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER) return "number";
  return `${minimum} to ${maximum.toLocaleString("en")}`;
};

interface Setting {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
}

interface Section {
  /** `syslog`, or `siteDatabase` with its kind. */
  readonly path: string;
  readonly about: string | undefined;
  readonly settings: readonly Setting[];
}

/** Each object of a schema with its settings, the outermost first. One that has an example is told by that. */
const sectionsOf = (path: string, schema: Schema): readonly Section[] => {
  if (schema.examples !== undefined) return [];
  const { properties, additionalProperties, items, description } = schema;
  if (properties === undefined) {
    const inner = typeof additionalProperties === "object" ? [[`${path}.NAME`, additionalProperties] as const] : [];
    const listed = items === undefined ? [] : [[`${path}[]`, items] as const];
    return [...inner, ...listed, ...branchesOf(schema).map((branch) => [path, branch] as const)].flatMap(([at, one]) =>
      sectionsOf(at, one),
    );
  }
  const settings = Object.entries(properties)
    .filter(([name]) => !name.startsWith("$"))
    .map(([name, one]) => ({ name, schema: one, required: schema.required?.includes(name) === true }));
  const variant = settings.find(({ schema: one }) => one.const !== undefined);
  const shown = variant === undefined ? path : `${path}, ${variant.name} ${JSON.stringify(variant.schema.const)}`;
  return [
    { path: shown, about: description, settings: settings.filter((one) => one !== variant) },
    ...settings.flatMap(({ name, schema: one }) => sectionsOf(path === "" ? name : `${path}.${name}`, one)),
  ];
};

const headed = (path: string, about: string | undefined, body: string): string =>
  [path === "" ? "" : `## ${code(path)}`, about ?? "", body].filter((part) => part !== "").join("\n\n");

const isObject = (schema: Schema): boolean =>
  schema.properties !== undefined || branchesOf(schema).some((branch) => branch.properties !== undefined);

const defaultOf = ({ schema, required }: Setting): string => {
  if (schema.leftOut !== undefined) return schema.leftOut;
  if (schema.default === undefined) return required ? "must be given" : "none";
  return isObject(schema) ? "below" : code(JSON.stringify(schema.default));
};

/** @throws Error for a setting that nobody gave an example, so that none goes without */
const exampleOf = ({ name, schema }: Setting): string => {
  if (schema.examples !== undefined) return schema.examples.map((one) => code(JSON.stringify(one))).join(" or ");
  if (isObject(schema)) return "below";
  if (schema.default !== undefined) return code(JSON.stringify(schema.default));
  throw new Error(`${name} has neither a default nor an example: give it one by meta({ examples })`);
};

const endpointSettings = (): string =>
  sectionsOf("", schemaOf(endpointJsonSchema()))
    .filter(({ settings }) => settings.length > 0)
    .map(({ path, about, settings }) =>
      headed(
        path,
        about,
        table(
          ["setting", "default", "unit", "values", "example", "what it does"],
          settings.map((setting) => [
            code(setting.name),
            defaultOf(setting),
            setting.schema.unit ?? "",
            isObject(setting.schema) ? "object" : valuesOf(setting.schema),
            exampleOf(setting),
            setting.schema.description ?? "",
          ]),
        ),
      ),
    )
    .join("\n\n");

const roleRules = (): string =>
  sectionsOf("", schemaOf(rolesJsonSchema()))
    .filter(({ path }) => !path.startsWith("requiredGroups"))
    .map(({ path, settings }) =>
      headed(
        path.replaceAll("roleCapabilities.NAME.visibleCommands", "visibleCommands"),
        undefined,
        table(
          ["key", "", "values", "what it does"],
          settings.map(({ name, schema, required }) => [
            code(name),
            required ? "required" : "",
            isObject(schema) ? "object" : valuesOf(schema),
            schema.description ?? "",
          ]),
        ),
      ),
    )
    .join("\n\n");

const shippedRoles = (): string => {
  const { roleCapabilities } = rolesFile.parse(JSON.parse(readFileSync(join(root, "jea-roles.json"), "utf8")));
  return table(
    ["role", "what it is for", "commands"],
    Object.entries(roleCapabilities).map(([name, { description = "", visibleCommands }]) => [
      code(name),
      description,
      visibleCommands.map((command) => code(typeof command === "string" ? command : command.name)).join(", "),
    ]),
  );
};

const allCommands = (): string =>
  table(
    ["command", "what it does", "given by"],
    commands.map(({ name, synopsis, forEveryone }) => [code(name), synopsis, forEveryone ? "everybody" : "a role"]),
  );

const exitStatuses = (): string =>
  table(
    ["status", "category", "meaning"],
    Object.entries(failures).map(([name, { exitStatus, meaning }]) => [`${exitStatus}`, name, meaning]),
  );

const eventSchemas = (): readonly Schema[] => branchesOf(schemaOf(auditEventJsonSchema()).properties?.["event"] ?? {});

const siemCodes = (): string => {
  const shown = (type: string, said: string, code: ReturnType<typeof codesOf>["otherwise"]): readonly string[] => [
    `\`${type}\`${said}`,
    `\`${code.signatureId}\``,
    code.name,
    `${code.cefSeverity}`,
    code.severity,
  ];
  return table(
    ["event", "CEF signature id", "name", "CEF", "syslog"],
    auditEventTypes.flatMap((type) => {
      const { by, codes = {}, otherwise } = codesOf(type);
      const named = Object.entries(codes).map(([said, code]) => shown(type, `, ${by} \`${said}\``, code));
      if (named.length === 0) return [shown(type, "", otherwise)];
      const possible = eventSchemas().find(({ properties }) => properties?.["type"]?.const === type)?.properties ?? {};
      const isWhole = possible[by ?? ""]?.enum?.every((value) => Object.hasOwn(codes, String(value))) === true;
      return isWhole ? named : [...named, shown(type, ", else", otherwise)];
    }),
  );
};

const eventFields = (): string =>
  eventSchemas()
    .map(({ properties = {}, required = [], description }) =>
      [
        `## ${code(properties["type"]?.const)}`,
        description,
        table(
          ["field", "", "values", "what it is"],
          Object.entries(properties)
            .filter(([name]) => name !== "type")
            .map(([name, field]) => [
              code(name),
              required.includes(name) ? "" : "optional",
              valuesOf(field),
              field.description ?? "",
            ]),
        ),
      ].join("\n\n"),
    )
    .join("\n\n");

const arrows = (): string => {
  const found = new Map<string, { readonly called: Set<string>; readonly types: Set<string> }>();
  for (const [file, importing] of imports) {
    const room = roomOf(file) ?? file;
    const { called, types } = found.get(room) ?? { called: new Set(), types: new Set() };
    found.set(room, { called, types });
    for (const { to, typeOnly } of importing) {
      const other = roomOf(to);
      if (other !== undefined && other !== room) (typeOnly ? types : called).add(other);
    }
  }
  const shown = (rooms: readonly string[]): string => rooms.toSorted().map(code).join(", ");
  return table(
    ["room", "calls", "knows types only of"],
    [...found]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([room, { called, types }]) => [
        code(room),
        shown([...called]),
        shown([...types].filter((other) => !called.has(other))),
      ]),
  );
};

/** The names of the tests that hold the walls; the first of them is about the test itself. */
const walls = (): string =>
  [...readFileSync(join(root, "test/architecture.test.ts"), "utf8").matchAll(/^test\("(.+)", /gm)]
    .slice(1)
    .map(([, name = ""]) => `- ${name}`)
    .join("\n");

const parts: Readonly<Record<string, () => string>> = {
  arrows,
  "all-commands": allCommands,
  "endpoint-settings": endpointSettings,
  "event-fields": eventFields,
  "exit-statuses": exitStatuses,
  "role-rules": roleRules,
  "shipped-roles": shippedRoles,
  "siem-codes": siemCodes,
  walls,
};

const schemas: Readonly<Record<string, () => unknown>> = {
  "server/audit/audit-event.schema.json": auditEventJsonSchema,
  "server/authorization/jea-roles.schema.json": rolesJsonSchema,
};

const withParts = (text: string): string =>
  text.replace(
    /(<!-- generated: ([a-z-]+) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`no part is called ${name}`);
      return `${begin}\n${part()}\n\n${end}`;
    },
  );

/** As the formatter would write it, so that a check compares what stands in the repository. */
const formatted = (file: string, text: string): string => {
  const formatter = join(root, "node_modules/.bin/oxfmt");
  const { status, stdout, stderr } = spawnSync(formatter, [`--stdin-filepath=${join(root, file)}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${file}: ${stderr}`);
  return stdout;
};

const check = process.argv.includes("--check");
const documents = globSync(["*.md", "docs/**/*.md"], { cwd: root });
const made = [
  ...documents.map((file) => [file, withParts(readFileSync(join(root, file), "utf8"))] as const),
  ...Object.entries(schemas).map(([file, schema]) => [file, JSON.stringify(schema())] as const),
];
for (const [file, text] of made) {
  const present = readFileSync(join(root, file), "utf8");
  if (text === present) continue;
  const wanted = formatted(file, text);
  if (wanted === present) continue;
  if (!check) writeFileSync(join(root, file), wanted);
  process.stderr.write(`${file}: ${check ? "is not what the code says; npm run generate writes it" : "written"}\n`);
  if (check) process.exitCode = 1;
}
