import { expect, test } from "vitest";
import { closeAll } from "../../server/endpoint/close-all.ts";
import { testRuntime } from "../harness/runtime.ts";

test("of several parts that can't be closed the first failure is thrown, and the others are told", async () => {
  const opened = new AsyncDisposableStack();
  const closed: string[] = [];
  for (const name of ["log", "site database", "screens", "server"]) {
    opened.defer(() => {
      closed.push(name);
      if (name !== "site database") throw new Error(`${name} hangs`);
    });
  }
  const told: string[] = [];
  const runtime = testRuntime({ report: (line) => told.push(line) });
  await expect(closeAll({ opened, runtime })).rejects.toThrow("server hangs");
  expect(closed).toEqual(["server", "screens", "site database", "log"]);
  expect(told.join("\n")).toMatch(/log hangs[^]*screens hangs/);
});
