import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { imports, root, sources, type Import } from "./harness/imports.ts";

const isOurs = (path: string): boolean => /^(server|commands|ui)\//.test(path);

const within = (folder: string): readonly Import[] =>
  [...imports].flatMap(([file, found]) => (file.startsWith(folder) ? found : []));

/** What a file pulls in at run time, through everything it imports; on demand as well, unless only what is loaded with it is asked for. */
const reachableFrom = (entries: readonly string[], loadedWithIt = false): Set<string> => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { to, typeOnly, onDemand } of imports.get(file) ?? [])
      if (!typeOnly && !(loadedWithIt && onDemand)) visit(to);
  };
  entries.forEach(visit);
  return seen;
};

const shown = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} → ${to}`);

test("the test itself sees the imports", () => {
  expect(sources.length).toBeGreaterThan(30);
  expect(shown(within("server/main.ts"))).toContain("server/main.ts → server/cli/command-line.ts");
  expect([...reachableFrom(["server/main.ts"])]).toContain("ssh2");
});

/** A folder of the server is a room; a file that lies in none is one for itself. */
const roomOf = (file: string): string => /^(server\/[^/]+|commands|ui)(?=\/|$)/.exec(file)?.[0] ?? file;

test("no arrow between rooms runs back, not even for a type", () => {
  const arrows = new Map<string, Set<string>>();
  for (const { from, to } of [...imports.values()].flat())
    if (isOurs(to) && roomOf(from) !== roomOf(to))
      arrows.set(roomOf(from), (arrows.get(roomOf(from)) ?? new Set()).add(roomOf(to)));
  const circles: string[] = [];
  const visit = (room: string, way: readonly string[]): void => {
    if (way.includes(room)) circles.push([...way.slice(way.indexOf(room)), room].join(" → "));
    else for (const next of arrows.get(room) ?? []) visit(next, [...way, room]);
  };
  visit("server/main.ts", []);
  expect(circles).toEqual([]);
});

test("a package is imported in its own folder only", () => {
  const homes: Record<string, string | readonly string[]> = {
    ssh2: "server/ssh/",
    tedious: "server/site-database/",
    // A file lock is SQLite's.
    "node:sqlite": ["server/site-database/", "server/files/file-lock.ts"],
    ink: "ui/",
    react: "ui/",
    pkijs: "server/site-database/",
    asn1js: "server/site-database/",
    re2js: "server/authorization/",
    "@xterm/headless": "ui/player/",
    "csv-parse": "server/import/",
    otpauth: "server/identity/second-factor/",
    qr: "server/cli/",
    "@streamparser/json": "server/import/",
    "asciinema-player": "server/audit-review/report/browser/",
    "csv-stringify": "server/session/format/",
  };
  const strays = [...imports.values()]
    .flat()
    .filter(({ from, to }) => to in homes && ![homes[to] ?? ""].flat().some((home) => from.startsWith(home)));
  expect(shown(strays)).toEqual([]);
});

test("commands import what a command is, errors and the vocabulary: no package, no node: module, nothing else", () => {
  const strays = within("commands/").filter(
    ({ to }) => !/^(commands\/|server\/command\/|server\/model\/|server\/errors\.ts$)/.test(to),
  );
  expect(shown(strays)).toEqual([]);
});

test("what a command is knows no room that runs or answers one", () => {
  const known = ["server/errors.ts", "server/secret.ts", "server/audit/on-record.ts"];
  const strays = within("server/command/").filter(
    ({ to }) => !/^server\/(command|model)\//.test(to) && !known.includes(to),
  );
  expect(shown(strays)).toEqual([]);
});

test("no command reaches a package or a node: module through something it imports", () => {
  const commands = sources.filter((file) => /^(commands|server\/command)\//.test(file));
  const reached = [...reachableFrom(commands)];
  expect(reached.filter((path) => !isOurs(path))).toEqual([]);
});

test("the UI knows nothing of the server but the protocol and the vocabulary, and has no way out of its process", () => {
  // The one file that takes the loader away has to have it first.
  expect(shown(within("ui/").filter(({ to }) => to === "node:module"))).toEqual(["ui/give-up-powers.ts → node:module"]);
  const reached = [...reachableFrom(sources.filter((file) => file.startsWith("ui/")))].filter(
    (path) => path !== "node:module",
  );
  const foreign = reached.filter((path) => /^(server|commands)\//.test(path));
  expect(foreign.filter((path) => !path.startsWith("server/model/"))).toEqual([]);
  const outside = reached.filter(
    (path) => !isOurs(path) && !["ink", "react", "string-width", "@xterm/headless"].includes(path),
  );
  expect(outside.filter((path) => !["node:stream", "node:process", "node:string_decoder"].includes(path))).toEqual([]);
});

test("reading the configuration, as every subcommand does, loads no package but the one that checks it", () => {
  const reached = [...reachableFrom(["server/configuration.ts"], true)];
  expect(reached.filter((path) => !isOurs(path) && !path.startsWith("node:"))).toEqual(["zod"]);
});

test("the vocabulary is pure: it imports nothing but itself", () => {
  expect(within("server/model/").length).toBeGreaterThan(0);
  expect(shown(within("server/model/").filter(({ to }) => !to.startsWith("server/model/")))).toEqual([]);
});

test("the network side reaches neither the site database nor a command nor the UI", () => {
  const strays = within("server/ssh/").filter(({ to }) => /^(server\/site-database|commands|ui)\//.test(to));
  expect(shown(strays)).toEqual([]);
});

test("the site database reaches neither the network side nor a session nor the UI", () => {
  const strays = within("server/site-database/").filter(({ to }) => /^(server\/(ssh|session)|commands|ui)\//.test(to));
  expect(shown(strays)).toEqual([]);
});

test("what judges who somebody is knows no packet, no session, no data and no record", () => {
  const strays = within("server/identity/").filter(
    ({ to }) => isOurs(to) && !/^server\/(identity|files|model)\/|^server\/errors\.ts$/.test(to),
  );
  expect(shown(strays)).toEqual([]);
});

test("what verifies the record takes no part in writing it", () => {
  const reached = [...reachableFrom(sources.filter((file) => file.startsWith("server/audit-review/")))];
  const readers = [
    "checkpoint",
    "line-signature",
    "log-lines",
    "log-reader",
    "merkle-tree",
    "open-of-record",
    "permissions",
    "plan-prune",
    "record-loss",
    "segments-since",
    "signed-note",
  ].map((name) => `server/audit/${name}.ts`);
  const strays = reached.filter((path) => path.startsWith("server/") && !path.startsWith("server/audit-review/"));
  const shared = ["errors", "start-thread", "thread-priority"].map((name) => `server/${name}.ts`);
  expect(strays.filter((path) => !readers.includes(path) && !shared.includes(path))).toEqual([]);
});

test("what runs in a reviewer's browser reaches the player, its own folder and types only", () => {
  const reached = [...reachableFrom(sources.filter((file) => file.startsWith("server/audit-review/report/browser/")))];
  const own = /^(server\/audit-review\/report\/(browser\/.*|visible-text\.ts)|asciinema-player)$/;
  expect(reached.filter((path) => !own.test(path))).toEqual([]);
});

test("what sends the record on only reads it, and knows nothing of sessions", () => {
  const readers = ["checkpoint", "log-lines", "log-reader", "merkle-tree"].map((name) => `server/audit/${name}.ts`);
  const strays = within("server/audit-forwarding/").filter(
    ({ to, typeOnly }) =>
      isOurs(to) &&
      !typeOnly &&
      ![...readers, "server/errors.ts"].includes(to) &&
      !to.startsWith("server/files/") &&
      !to.startsWith("server/audit-forwarding/"),
  );
  expect(shown(strays)).toEqual([]);
  expect(shown([...imports.values()].flat().filter(({ to }) => to === "node:tls"))).toEqual([
    "server/audit-forwarding/connection.ts → node:tls",
  ]);
});

test("what starts the bundle brings nothing of the server with it a second time", () => {
  const reached = [...reachableFrom(["server/bundle/start.ts"])];
  expect(reached.filter((path) => !path.startsWith("server/bundle/") && !path.startsWith("node:"))).toEqual([]);
});

test("the server imports of the UI only the protocol", () => {
  const strays = within("server/").filter(({ to }) => to.startsWith("ui/") && to !== "ui/protocol.ts");
  expect(shown(strays)).toEqual([]);
});

test("a session reaches the ports of data only where an event on the record opens them", () => {
  const naming = sources.filter(
    (file) =>
      /^server\/(session|authorization|ssh)\//.test(file) &&
      /\bsiteDatabase\b|TranscriptPort\b|ReviewFor\b/.test(readFileSync(join(root, file), "utf8")),
  );
  // The host is handed them and closes them over; the other opens them against a proof.
  expect(naming).toEqual(["server/session/open-ports.ts", "server/session/serve-session.ts"]);
  const proving = sources.filter((file) =>
    /\bas (unknown as )?OnRecord\b|new OnRecord\b/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(proving).toEqual(["server/audit/on-record.ts"]);
});

test("what says who may run what calls nothing of a session", () => {
  expect(shown(within("server/authorization/").filter(({ to }) => to.startsWith("server/session/")))).toEqual([]);
});

test("a secret's text is opened in the few files that must", () => {
  const opening = sources.filter((file) =>
    /import\s*(?:type\s*)?\{[^}]*\brevealSecret\b/.test(readFileSync(join(root, file), "utf8")),
  );
  const allowed = /^server\/(session\/disclose\.ts|site-database\/(embedded|sql-server)\/[a-z-]+\.ts)$/;
  expect(opening.filter((file) => !allowed.test(file))).toEqual([]);
  expect(opening).toContain("server/session/disclose.ts");
  expect(opening.length).toBeLessThanOrEqual(6);
});

/** What opens a file to read it, or puts one in the place of another. */
const opening = [
  "readFile",
  "readFileSync",
  "open",
  "openSync",
  "openAsBlob",
  "createReadStream",
  "rename",
  "renameSync",
];

/** Judged one by one. Everything else asks server/files/, which never waits for a pipe and knows whose a file must be. */
const judgedOpeners: readonly (readonly [RegExp, string])[] = [
  [/^server\/files\//, "the room itself"],
  [/^server\/audit\/open-of-record\.ts$/, "opens the record for everybody else, to read and to write"],
  [/^server\/audit\/transcript\.ts$/, "makes a new file"],
  [/^server\/audit\/prune\.ts$/, "renames what it made new"],
  [/^server\/audit-review\/report\/(write-report|report-folder)\.ts$/, "a report, and what the package brings for it"],
  [/^server\/bundle\/load\.ts$/, "the program's own text: whoever may change it need not change a file"],
  [/^server\/(bundle\/start|cli\/doctor)\.ts$/, "/proc"],
  [/^server\/main\.ts$/, "package.json beside the program"],
  [/^server\/cli\/init\.ts$/, "the roles that the package brings"],
  [
    /^server\/cli\/audit(-upkeep|-report)?\.ts$/,
    "the record, and what an administrator names on the command line, pipes too",
  ],
  [/^server\/import\/read-recovery-file\.ts$/, "what an administrator names on the command line; judged there"],
  [/^server\/session\/interactive\/(ui-process|descriptors|ui-pool)\.ts$/, "/proc and /dev/null"],
  [/^server\/session\/interactive\/start-ui-process\.ts$/, "the program's own files: whoever may change them need not"],
  [
    /^server\/session\/interactive\/accounts\/(machine|processes|taken-ids)\.ts$/,
    "/proc, and /etc/passwd and its like",
  ],
  [/^server\/control\/control-socket\.ts$/, "renames a socket"],
  [/^server\/authorization\/elevation-store\.ts$/, "appends to the file that was judged, in a folder of ours"],
  [/^server\/site-database\/backup-files\.ts$/, "makes new files and reads them back"],
  [/^server\/site-database\/embedded\/(database|master-key)\.ts$/, "makes new files"],
];

test("a file is opened by server/files/, or by one of the few that were judged", () => {
  const openers = [...sources].filter((file) => {
    const text = readFileSync(join(root, file), "utf8");
    const fromFs = [
      ...text.matchAll(/import\s+(?:type\s+)?(\{[^}]*\}|[^;"]*?)\s+from\s+"(?:node:)?fs(?:\/promises)?";/g),
    ];
    return fromFs.some(([, what = ""]) => {
      if (!what.startsWith("{")) return true;
      const names = what
        .slice(1, -1)
        .split(",")
        .map((name) => name.trim().split(/\s+as\s+/)[0] ?? "");
      return names.some((name) => opening.includes(name) || name === "promises" || name === "default");
    });
  });
  expect(openers.filter((file) => !judgedOpeners.some(([judged]) => judged.test(file)))).toEqual([]);
  const idle = judgedOpeners.filter(([judged]) => !openers.some((file) => judged.test(file)));
  expect(idle.map(([, why]) => why)).toEqual([]);
});

test("what says whether a file may be trusted knows nothing of the rest of the server", () => {
  const strays = within("server/files/").filter(
    ({ to }) => isOurs(to) && !to.startsWith("server/files/") && to !== "server/errors.ts",
  );
  expect(shown(strays)).toEqual([]);
});

test("process.env and process.argv are read by main.ts and the UI's entry only", () => {
  const reading = sources.filter((file) => /process\.(env|argv)\b/.test(readFileSync(join(root, file), "utf8")));
  expect(reading.filter((file) => file !== "server/main.ts" && !file.startsWith("ui/"))).toEqual([]);
});

test("a comment says its reason, or where in the product it stands", () => {
  const tests = globSync("test/**/*.ts", { cwd: root });
  const citing = [...sources, ...tests].filter((file) =>
    /\bdesign,? §|\bfacts on\b|\bsource documents?\b/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(citing).toEqual([]);
});

test("no file is longer than one job needs", () => {
  const long = sources
    .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

test("every folder says what it is for", () => {
  const folders = new Set(sources.map((file) => dirname(file)));
  const silent = [...folders].filter((folder) => globSync(`${folder}/README.md`, { cwd: root }).length === 0);
  expect(silent).toEqual([]);
});
