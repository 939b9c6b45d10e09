import { afterAll, beforeAll, expect, test } from "vitest";
import { aliveBytes } from "../../harness/memory.ts";
import { numberedKeyId } from "../../harness/tds-server/model/tables.ts";
import { neverStopped } from "../fixture.ts";
import { startNumberedSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

/** A million takes longer than a normal run should: PEP_TEST_ROWS=1000000. */
const rows = Number(process.env["PEP_TEST_ROWS"] ?? 150_000);
const mostGrowth = 64 * 1024 * 1024;

let site: StartedSite;
beforeAll(async () => {
  site = await startNumberedSite(rows);
});
afterAll(() => site.dispose());

test(`${rows} keys come over TLS in order, each once, with flat memory`, async () => {
  const database = await site.open();
  const start = performance.now();
  let count = 0;
  let inOrder = true;
  let first = 0;
  let most = 0;
  for await (const batch of database.readRecoveryKeys({}, neverStopped)) {
    for (const key of batch) {
      inOrder &&= key.passwordId === numberedKeyId(count);
      count += 1;
    }
    if (first === 0) first = aliveBytes();
    else if (count % 20_480 < batch.length) most = Math.max(most, aliveBytes());
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${Math.round(count / seconds / 1000)} krows/s, server in the same process; growth ${Math.round((most - first) / 2 ** 20)} MiB`,
  );
  expect({ count, inOrder }).toEqual({ count: rows, inOrder: true });
  expect(most).toBeGreaterThan(0);
  expect(most - first).toBeLessThan(mostGrowth);
}, 300_000);
