import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCode, sealCode } from "../../server/bundle/code.ts";
import { root, run } from "../harness/endpoint.ts";

const bundled = join(root, "dist", "server");

/** In a process of its own: a test's runs with flags that V8's compiled code is not for. */
const ask = (script: string): ReturnType<typeof run> =>
  run(process.execPath, ["--input-type=module", "--eval", script]);

test("V8 takes the compiled code that the build made", async () => {
  const load = join(root, "server", "bundle", "load.ts");
  const { stdout, stderr } = await ask(
    `import { loadBundle } from ${JSON.stringify(load)};
     console.log(loadBundle(${JSON.stringify(bundled)}).script.cachedDataRejected);`,
  );
  expect(stdout, stderr).toBe("false\n");
});

test("the built program holds no character that a reader of latin1 takes for others, in its expressions too", () => {
  expect(readFileSync(join(bundled, "pep.cjs"), "utf8").match(/.{0,20}[^\u0000-\u007f].{0,20}/g)).toBeNull();
});

test("compiled code is given out for its own text alone", () => {
  const text = Buffer.from("text");
  const sealed = sealCode(text, Buffer.from("code"));
  expect(openCode(text, sealed)?.toString()).toBe("code");
  expect(openCode(Buffer.from("Text"), sealed)).toBeUndefined();
  expect(openCode(text, sealed.subarray(1))).toBeUndefined();
  expect(openCode(text, Buffer.alloc(0))).toBeUndefined();
});

test("a stack trace of the built program names functions and their place in it", async () => {
  const { stderr } = await run(process.execPath, [
    "--stack-trace-limit=50",
    "--import",
    // What fails inside pep, whatever it is: here standard output does.
    `data:text/javascript,process.stdout.write=()=>{process._rawDebug(new Error("where").stack);return true}`,
    join(bundled, "main.js"),
    "--version",
  ]);
  expect(stderr).toMatch(/at runCommandLine \(.*\/dist\/server\/pep\.cjs:\d+:\d+\)/);
});
