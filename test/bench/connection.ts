import { readFileSync } from "node:fs";
import { join } from "node:path";
import ssh2 from "ssh2";
import type { DemoUser, Endpoint } from "../harness/endpoint.ts";

/** One connection, an exec a look-up: what a client's start costs would hide any growth. */
export const connect = (endpoint: Endpoint, user: DemoUser): Promise<ssh2.Client> =>
  new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.once("ready", () => {
      client.setNoDelay(true); // else two delayed acknowledgements of 40 ms are most of each call
      resolve(client);
    });
    client.once("error", reject);
    client.connect({
      host: endpoint.host,
      port: endpoint.port,
      username: user,
      privateKey: readFileSync(join(endpoint.dataDirectory, "demo", "keys", user)),
    });
  });

/** @returns milliseconds from the question to the end of the answer, which must hold `expected` */
export const lookUp = (client: ssh2.Client, line: string, expected: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now();
    client.exec(line, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      let answer = "";
      channel.on("data", (bytes: Buffer) => (answer += bytes.toString()));
      channel.stderr.resume();
      channel.once("close", () => {
        if (answer.includes(expected)) resolve(performance.now() - startedAt);
        else reject(new Error(`${line}: an answer without its key`));
      });
    });
  });
