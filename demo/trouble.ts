/** Whether the runner has asked this one process to misbehave in the way it knows. */
import { answer } from "./line.ts";

let troubled = false;

answer("trouble", (on: boolean) => {
  troubled = on;
});

export function inTrouble(): boolean {
  return troubled;
}
