/**
 * Takes from this process what its program doesn't use of Node, before anything else of it runs: no module can be had any
 * more, and of `process` and the global names only the judged ones are left. The flags, limits and the account that the server
 * starts it with are the walls below this one (`server/session/interactive/start-ui-process.ts`); this one is JavaScript, and
 * keeps what those don't.
 *
 * What stays is listed, not what goes: a newer Node's new power goes too.
 */
import module from "node:module";
import process from "node:process";

/** `process`: facts about it, its streams and its end; what starts with `_` is Node's own bookkeeping. */
const keptOfProcess = new Set([
  "version",
  "versions",
  "arch",
  "platform",
  "argv",
  "env",
  "title",
  "pid",
  "execPath",
  "cwd",
  "hrtime",
  "memoryUsage",
  "stdin",
  "stdout",
  "stderr",
  "exit",
  "reallyExit",
  "exitCode",
  "nextTick",
  "emitWarning",
  "features",
  "argv0",
  "permission",
  "_events",
  "_eventsCount",
  "_maxListeners",
  "_exiting",
  "_fatalException",
  "_tickCallback",
  "domain",
]);

/** Node's global names, beside those of the language. WebAssembly is the language's: it computes the layout. */
const keptGlobals = new Set([
  "global",
  "process",
  "Buffer",
  "console",
  "performance",
  "queueMicrotask",
  "structuredClone",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "TextEncoder",
  "TextDecoder",
  "URL",
  "AbortController",
  "AbortSignal",
  "Event",
  "EventTarget",
]);

/** ECMA-262, and what V8 has of the proposals that go with it. None of them reaches out of the process. */
const language = new Set([
  "globalThis",
  "Infinity",
  "NaN",
  "undefined",
  "isFinite",
  "isNaN",
  "parseFloat",
  "parseInt",
  "eval",
  "Function",
  "decodeURI",
  "decodeURIComponent",
  "encodeURI",
  "encodeURIComponent",
  "escape",
  "unescape",
  "Object",
  "Boolean",
  "Symbol",
  "Error",
  "AggregateError",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "SuppressedError",
  "Number",
  "BigInt",
  "Math",
  "Date",
  "Temporal",
  "String",
  "RegExp",
  "Array",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "Map",
  "Set",
  "WeakMap",
  "WeakSet",
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Atomics",
  "JSON",
  "WeakRef",
  "FinalizationRegistry",
  "Iterator",
  "Promise",
  "Proxy",
  "Reflect",
  "Intl",
  "WebAssembly",
  "DisposableStack",
  "AsyncDisposableStack",
]);

/** Texts that V8 lets nobody take away. */
const keptOfModule = new Set(["wrap", "wrapper"]);

const refuse = (): never => {
  throw new Error("this process has no such power");
};

const empty = (target: object, kept: ReadonlySet<string>): void => {
  for (const name of Reflect.ownKeys(target)) {
    if (typeof name === "symbol" || kept.has(name)) continue;
    if (Reflect.deleteProperty(target, name)) continue;
    if (!Reflect.set(target, name, undefined)) throw new Error(`${name} can't be given up`);
  }
};

/** A pipe's handle is a class of the runtime: with its constructor, or one of these methods, it opens others. */
const openers = ["constructor", "bind", "listen", "connect", "open", "fchmod", "setPendingInstances"];
const removeFromClasses = (instance: unknown, names: readonly string[]): void => {
  if (typeof instance !== "object" || instance === null) return;
  let link: unknown = Reflect.getPrototypeOf(instance);
  while (typeof link === "object" && link !== null && link !== Object.prototype) {
    for (const name of names) Reflect.deleteProperty(link, name);
    link = Reflect.getPrototypeOf(link);
  }
};

// Node makes them when they are first asked for, with powers that are gone below.
for (const stream of [process.stdin, process.stdout, process.stderr]) {
  removeFromClasses(Reflect.get(stream, "_handle"), openers);
  removeFromClasses(stream, ["connect"]);
}
// `SSL_CERT_FILE`, `TZ` and others are read by name, whenever: what is set here is not the process's environment.
Reflect.set(process, "env", Object.freeze({ ...process.env }));

// A hook that is added later would be asked first: so `registerHooks` goes, too.
module.registerHooks({ resolve: refuse });
const { syncBuiltinESMExports } = module;
empty(module, keptOfModule);
empty(process, keptOfProcess);
empty(globalThis, new Set([...keptGlobals, ...language]));
// The names that the bundle imported follow what is left.
syncBuiltinESMExports();
