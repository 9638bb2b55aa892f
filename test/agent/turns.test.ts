/** Tasks that let the event loop turn between them. */
import { expect, test } from "vitest";
import { createTurns } from "../../agent/receivers/turns.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("what comes together is done in order, others get their turn in between", async () => {
  const inTurn = createTurns();
  const done: string[] = [];
  for (const name of ["first", "second", "third"]) inTurn(() => done.push(name));
  expect(done).toEqual([]);
  for (const count of [1, 2, 3]) {
    await turn();
    expect(done.length).toBe(count);
  }
  expect(done).toEqual(["first", "second", "third"]);
  inTurn(() => done.push("later"));
  await turn();
  expect(done.at(-1)).toBe("later");
});
