/**
 * Builds `dist/`: the server (one bundle and its compiled code), the UI process (one bundle, alone in its folder), what a
 * report's browser runs, and the `pep` launcher.
 *
 * Run by `npm run build`; says nothing when all is well. Everything is built aside and put in place at the end, so that a
 * running server never finds half a bundle. With `--without-types` the compiler isn't asked, which takes most of a build.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, glob, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build, type Plugin } from "esbuild";

const root = path.dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);

/** Modules of Node that packages of the UI ask for; ui/absent-modules.ts stands in for them. */
const absentFromUi = /^(?:node:)?(?:assert|child_process|fs|module|os|tty)$/;
const giveUpPowers = "ui/give-up-powers.ts";

/**
 * Links the UI process with no module of Node that is a power. What CommonJS packages `require` becomes an import: there is no
 * `require`, which would be a way to every module.
 */
const withoutPowers: Plugin = {
  name: "without-powers",
  setup: (bundling) => {
    bundling.onResolve({ filter: absentFromUi }, ({ importer }) =>
      // It takes the loader itself away, so it needs it once.
      path.relative(root, importer) === giveUpPowers ? undefined : { path: path.join(root, "ui/absent-modules.ts") },
    );
    bundling.onResolve({ filter: /^events$/ }, ({ kind }) =>
      kind === "require-call" ? { path: "node:events", namespace: "required" } : undefined,
    );
    bundling.onLoad({ filter: /./, namespace: "required" }, ({ path: name }) => ({
      contents: `export * from "${name}"; export { default } from "${name}";`,
    }));
  },
};

/**
 * Bundles the UI process into `folder/ui.mjs`. `--allow-fs-read` names this folder: nothing else that matters may lie in it.
 *
 * @param readable for a debugger: names as they are, and a source map
 */
export const bundleUi = async (folder: string, entry = "ui/main.ts", readable = false): Promise<string> => {
  const bundle = path.join(folder, "ui.mjs");
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "esm", // ink and yoga use top-level await
    minify: !readable,
    sourcemap: readable ? "inline" : false,
    jsx: "automatic",
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"' },
    // As `external` it would become a hard import, and crash.
    alias: { "react-devtools-core": "./ui/devtools-stub.ts" },
    // Without `fetch`, yoga decodes its WebAssembly itself instead of loading
    // undici for a data: URL: 50 ms and 7 MB less a process.
    banner: { js: "delete globalThis.fetch;" },
    plugins: [withoutPowers],
  });
  return bundle;
};

/** What `pep audit export --html` puts into a report: scripts for the browser, each in one file, and the style. */
const bundleReport = async (folder: string): Promise<void> => {
  const source = "server/audit-review/report";
  await build({
    absWorkingDir: root,
    entryPoints: {
      index: `${source}/browser/index.ts`,
      session: `${source}/browser/session.ts`,
    },
    outdir: folder,
    bundle: true,
    platform: "browser",
    target: "es2023",
    format: "iife",
    minify: true,
    charset: "ascii", // whatever a browser takes a file's encoding to be
    legalComments: "eof",
    logLevel: "warning",
    loader: { ".css": "text" },
    tsconfig: path.join(root, source, "browser", "tsconfig.json"),
  });
  await build({
    absWorkingDir: root,
    entryPoints: [`${source}/report.css`],
    outdir: folder,
    minify: true,
    logLevel: "warning",
  });
  const license = path.join(root, "node_modules", "asciinema-player", "LICENSE");
  await copyFile(license, path.join(folder, "LICENSE.asciinema-player"));
};

/** What the compiler complains about; empty when all is well. A type error doesn't stop the output. */
const checkServer = async (): Promise<string> => {
  const compiler = path.join(root, "node_modules", ".bin", "tsc");
  try {
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root });
    return "";
  } catch (error) {
    // execFile puts the compiler's words there.
    if (error instanceof Error && "stdout" in error && typeof error.stdout === "string" && error.stdout !== "")
      return error.stdout;
    throw error;
  }
};

/**
 * What ssh2 tries to load and does without: native code that is never built. Looked for at run time they would be searched
 * for in every node_modules above the program, and `/tmp/node_modules` may be anybody's.
 */
const withoutNativeCode: Plugin = {
  name: "without-native-code",
  setup: (bundling) => {
    bundling.onResolve({ filter: /^cpu-features$|\.node$/ }, (found) => ({
      path: found.path,
      namespace: "native-code",
    }));
    bundling.onLoad({ filter: /./, namespace: "native-code" }, () => ({ contents: `throw new Error("never built")` }));
  },
};

/** Bundles the server; server/bundle/README.md says why and how. */
const bundleServer = async (folder: string): Promise<void> => {
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "esnext",
    charset: "ascii", // server/bundle/load.ts reads it as latin1
    legalComments: "none",
    logLevel: "warning",
  } as const;
  const workers: string[] = [];
  for await (const file of glob("server/**/*-worker.ts", { cwd: root })) {
    if ((await readFile(path.join(root, file), "utf8")).includes("parentPort")) workers.push(file);
  }
  await Promise.all([
    build({
      ...common,
      entryPoints: ["server/main.ts"],
      outfile: path.join(folder, "pep.cjs"),
      format: "cjs",
      external: ["tedious"],
      plugins: [withoutNativeCode],
      banner: {
        // Strict as modules are: esbuild's own directive stands too late to count.
        js: `(function (require, __filename, __dirname) {"use strict"; const module = { exports: {} };
const importMetaUrl = require("node:url").pathToFileURL(__filename).href;`,
      },
      footer: { js: "return module.exports; })" },
      define: { "import.meta.url": "importMetaUrl", "import.meta.dirname": "__dirname", "import.meta.main": "false" },
    }),
    build({
      ...common,
      // Threads find their entries beside the bundle, by name.
      entryPoints: {
        main: "server/bundle/start.ts",
        ...Object.fromEntries(workers.map((worker) => [path.basename(worker, ".ts"), worker])),
      },
      outdir: folder,
      format: "esm",
    }),
  ]);
  await escapeAll(path.join(folder, "pep.cjs"));
};

/** esbuild's `ascii` leaves regular expressions and comments as they are: read as latin1, `[–—]` would mean other characters. */
const escapeAll = async (file: string): Promise<void> => {
  const text = await readFile(file, "utf8");
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  await writeFile(file, text.replace(/[^\u0000-\u007f]/g, escaped));
};

/** Adds the compiled code to what was built; in a process of its own, as it runs the server. */
const recordCode = async (folder: string): Promise<void> => {
  for (const file of ["package.json", "jea-roles.json"]) await copyFile(path.join(root, file), path.join(folder, file));
  await run(process.execPath, [path.join(root, "record-code.ts"), folder], { cwd: root });
};

/**
 * Finds the pinned runtime: in the package's own node_modules, or in the node_modules that the package lies in. Not
 * simply upwards: `/tmp/node_modules` may be anybody's.
 */
export const launcher = `#!/bin/sh
file=$0
while [ -L "$file" ]; do
  target=$(readlink "$file")
  case $target in /*) file=$target ;; *) file=$(dirname "$file")/$target ;; esac
done
root=$(CDPATH= cd "$(dirname "$file")/../.." && pwd -P) || exit 70

fits() {
  [ -x "$1" ] || return 1
  version=$("$1" --version 2>/dev/null) || return 1
  major=\${version#v}
  major=\${major%%.*}
  [ "$major" -ge 26 ] 2>/dev/null
}

# As server/bundle/close-doors.ts does for whoever starts node by hand: no debugger, no dump.
start() {
  node=$1
  shift
  if command -v prlimit >/dev/null; then
    exec prlimit --core=1:1 -- "$node" --disable-sigusr1 "$root/dist/server/main.js" "$@"
  fi
  ulimit -c 0 && exec "$node" --disable-sigusr1 "$root/dist/server/main.js" "$@"
}

modules=$root/node_modules
folder=$root
while [ -n "$modules" ]; do
  for node in "$modules"/.bin/node "$modules"/node-linux-*/bin/node; do
    if fits "$node"; then start "$node" "$@"; fi
  done
  modules=
  while [ -z "$modules" ] && [ "$folder" != / ]; do
    folder=$(dirname "$folder")
    case $folder in */node_modules) modules=$folder ;; esac
  done
done

node=$(command -v node) && fits "$node" && start "$node" "$@"
echo "pep: needs Node.js 26 or later; install pep with npm, which brings it, or put node on PATH" >&2
exit 70
`;

const writeLauncher = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, "pep");
  await writeFile(file, launcher);
  await chmod(file, 0o755);
};

/** @returns what the compiler complains about, if it is asked */
const buildAll = async (asked: boolean): Promise<string> => {
  // Inside node_modules: ignored by git and by every tool, and on the same file system as dist.
  const staging = await mkdtemp(path.join(root, "node_modules", ".pep-build-"));
  const built = path.join(staging, "dist");
  const dist = path.join(root, "dist");
  try {
    await mkdir(built);
    const [complaint] = await Promise.all([
      asked ? checkServer() : "",
      bundleServer(path.join(built, "server")),
      bundleUi(path.join(built, "ui")),
      bundleReport(path.join(built, "report")),
      writeLauncher(path.join(built, "bin")),
    ]);
    await recordCode(staging);
    await rename(dist, path.join(staging, "replaced")).catch((error: unknown) => {
      // The first build replaces nothing.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
    await rename(built, dist);
    return complaint;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
};

if (import.meta.main) {
  const complaint = await buildAll(!process.argv.includes("--without-types"));
  if (complaint !== "") {
    process.stderr.write(complaint);
    process.exitCode = 1;
  }
}
