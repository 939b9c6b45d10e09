import { expect, test } from "vitest";
import { rehearse } from "../../ui/rehearse.ts";

const lost = (): void => {
  throw new Error("the rehearsal lost its screen");
};

test("a rehearsal goes through to its end: every frame of it is one that an honest server sends", async () => {
  let frames = 0;
  await rehearse({ color: true, onLost: lost }, () => {
    frames += 1;
    return true;
  });
  expect(frames).toBeGreaterThan(40);
});

test("a rehearsal ends at once when somebody comes", async () => {
  let frames = 0;
  await rehearse({ color: true, onLost: lost }, () => {
    frames += 1;
    return frames < 10;
  });
  expect(frames).toBe(10);
});
