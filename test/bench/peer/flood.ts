/** Asks for answers on many connections and reads none: the thread that reply-flood.ts measures against. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import * as z from "zod";
import { connectAttacker, message, type AttackerConnection } from "../../harness/ssh-attacker-connection.ts";

const { port, user, privateKey, seconds, connections } = z
  .object({
    port: z.number(),
    user: z.string(),
    privateKey: z.string(),
    seconds: z.number(),
    connections: z.number(),
  })
  .parse(workerData);
const request = message.globalRequest("keepalive@openssh.com", true);

/** Keeps a megabyte of requests on the way, for as long as there is time. */
const flood = async (attacker: AttackerConnection, untilMs: number): Promise<void> => {
  attacker.deaf();
  while (performance.now() < untilMs && !attacker.socket.destroyed) {
    for (let count = 0; count < 500 && attacker.socket.writableLength < 2 ** 20; count += 1) attacker.send(request);
    await delay(5);
  }
};

const attackers = await Promise.all(
  Array.from({ length: connections }, () => connectAttacker(port, { user, privateKey })),
);
if (parentPort === null) throw new Error("this is a worker");
parentPort.postMessage("ready", []);
await once(parentPort, "message");
const untilMs = performance.now() + seconds * 1000;
await Promise.all(attackers.map((attacker) => flood(attacker, untilMs)));
// A deaf socket's bytes would keep the thread alive.
process.exit();
