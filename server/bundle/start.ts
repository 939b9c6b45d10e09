import { readFileSync } from "node:fs";
import { closeDoors } from "./close-doors.ts";
import { loadBundle } from "./load.ts";

closeDoors({
  runtime: process,
  limits: () => readFileSync("/proc/self/limits", "utf8"),
});
await loadBundle(import.meta.dirname).run();
