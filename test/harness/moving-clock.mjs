// Loaded into a server by NODE_OPTIONS=--import: its wall clock is off by what a file says, in milliseconds, and jumps when
// that changes. The product itself has no such way in, and should have none.
import { readFileSync } from "node:fs";

const file = process.env.PEP_TEST_CLOCK ?? "";
const RealDate = Date;
let offset = 0;
let readAt = -Infinity;

const offsetNow = () => {
  const uptime = performance.now();
  if (uptime - readAt > 20) {
    readAt = uptime;
    offset = Number(readFileSync(file, "utf8"));
  }
  return offset;
};

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offsetNow());
    else super(...args);
  }
  static now() {
    return RealDate.now() + offsetNow();
  }
};
