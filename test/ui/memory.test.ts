import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFrameReader, encodeFrame, frameKind, type FromUi, type ToUi } from "../../ui/protocol.ts";
import { keyColumns, keyRow, openAt } from "./fixtures.ts";
import { buildBundle, UiProcess } from "./ui-process.ts";

let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

/** Loaded before the bundle: says how much is alive, garbage collected, when asked by a signal. */
const gauge = `const collect = gc; process.on("SIGUSR2", () => { collect(); process.stderr.write("live " + process.memoryUsage().heapUsed + "\\n"); });`;

const liveBytes = async (ui: UiProcess): Promise<number> => {
  const said = ui.stderr.length;
  ui.child.kill("SIGUSR2");
  await ui.until(() => /live \d+\n/.test(ui.stderr.slice(said)), "the size of the heap");
  return Number(/live (\d+)/.exec(ui.stderr.slice(said))?.[1]);
};

/**
 * After some hundred answers every cache is full; what three times as many more add is then what the process keeps of
 * them. (Its terminal is not emulated: that would take longer than the process itself.)
 */
test("a thousand answers are released one by one, and leave no memory behind", { timeout: 180_000 }, async () => {
  const preload = path.join(built.folder, "gauge.mjs");
  await writeFile(preload, gauge);
  const rows = Array.from({ length: 60 }, (_, index) => keyRow(index % 9));
  const ui = new UiProcess(built.bundle, { nodeArguments: ["--expose-gc", "--import", preload] });
  const encoder = new TextEncoder();
  const tell = (message: ToUi): void =>
    ui.write(encodeFrame(frameKind.message, 1, encoder.encode(JSON.stringify(message))));
  const ask = (id: number): void =>
    ui.write(encodeFrame(frameKind.terminal, 1, encoder.encode(`Get-RecoveryKeys -ComputerName ${id}\r`)));
  const answer = (id: number): void => {
    tell({ type: "table", id, columns: keyColumns, list: false });
    tell({ type: "rows", id, rows, more: false });
    tell({ type: "text", id, text: `answer ${id} `.repeat(200) });
    tell({ type: "end", id, exitStatus: 0, rowCount: rows.length });
  };
  let painted = 0;
  let released = 0;
  let reached: { readonly count: number; readonly resolve: () => void } | undefined;
  const read = createFrameReader();
  ui.child.stdout.on("data", (chunk: Buffer) => {
    for (const frame of read(chunk)) {
      if (frame.kind === frameKind.terminal) painted += frame.payload.length;
      if (frame.kind === frameKind.terminal || frame.session !== 1) continue;
      const message = JSON.parse(new TextDecoder().decode(frame.payload)) as FromUi; // sent by the process under test
      if (message.type === "line") answer(message.id);
      if (message.type !== "released") continue;
      expect(message.id).toBe(released + 1);
      released = message.id;
      if (released === reached?.count) reached.resolve();
      else ask(released + 1);
    }
  });
  const run = async (count: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    reached = { count, resolve };
    void ui.exited.then((code) => reject(new Error(`ended with ${code} after ${released} answers\n${ui.stderr}`)));
    ask(released + 1);
    await promise;
  };
  tell(openAt(200, 60));
  await run(400);
  const before = await liveBytes(ui);
  const paintedBefore = painted;
  await run(1600);
  const after = await liveBytes(ui);
  expect(painted - paintedBefore).toBeGreaterThan(20_000_000);
  expect(after - before).toBeLessThan(2_000_000);
  ui.kill();
});
