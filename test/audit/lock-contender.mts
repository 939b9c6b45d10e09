import { takeLock } from "../../server/audit/lock.ts";
import { keepCompiled } from "../harness/compile-cache.ts";

// Takes the lock named in its argument, says whether it got it, and holds it until it is killed.
let answer = "holds";
try {
  // Held by its closure: without one the lock would go with the garbage.
  process.on("exit", takeLock(process.argv[2] ?? ""));
} catch {
  answer = "refused";
}
process.stdout.write(answer);
keepCompiled();
process.stdin.resume();
