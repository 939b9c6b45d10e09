import { join } from "node:path";
import { expect, test } from "vitest";
import { launch } from "../../harness/endpoint.ts";
import { expectNothingUnaccounted, findKeys, prepare, startExport, startScreen } from "../../harness/fault-load.ts";
import { verified, type Client } from "../../harness/fault-load.ts";
import { rounds, shareSeed } from "../../harness/share.ts";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";
import { createRandom } from "../../import/recovery-data.ts";

const kills = rounds(5, 200);
const seed = 20_261_122 + shareSeed;
const clientsPerKill = 3;

/*
 * ATTACK  The server is killed, over and over, each time in the middle of three clients' log-ins, exports and screens.
 * DANGER  A client has a key that the record does not have; or the record is torn so that the server can't start.
 * EXPECT  Every byte that arrived is covered by a durable disclosure; each start repairs; `pep audit verify` holds.
 */
test(
  `killed ${kills} times at seeded points under load: nothing unaccounted, and every start goes on`,
  { timeout: 120_000 + kills * 15_000 },
  async () => {
    const dataDirectory = join(temporaryDirectory(), "pep");
    await prepare(dataDirectory, 1_500);
    const first = await launch({ dataDirectory });
    const keys = await findKeys(first);
    await first.end();
    const random = createRandom(seed);
    const clients: Client[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      const endpoint = await launch({ dataDirectory });
      const due = Promise.withResolvers<void>();
      // Most in the middle of rows, some during the log-ins, when nothing was sent yet.
      let left = kill % 5 === 0 ? Infinity : Math.floor(random() ** 2 * 2 * keys.size * 200);
      if (left === Infinity) setTimeout(due.resolve, random() * 500);
      const onBytes = (count: number): void => {
        left -= count;
        if (left <= 0) due.resolve();
      };
      const exports = Array.from({ length: clientsPerKill - 1 }, (_, n) =>
        startExport(endpoint, `kill-${kill}-${n}`, onBytes),
      );
      const screen = startScreen(endpoint, `kill-${kill}-screen`);
      const all = Promise.all(exports.map(({ ended }) => ended));
      await Promise.race([due.promise, all]);
      await endpoint.end();
      await Promise.all([all, screen.ended]);
      clients.push(...exports, screen);
    }
    const last = await launch({ dataDirectory });
    try {
      expectNothingUnaccounted("SIGKILL", keys, clients, last, `${kills} kills of the server, seed ${seed}`);
      last.signal("SIGTERM");
      await last.exited;
    } finally {
      await last.end();
    }
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);
