/**
 * A process's end of the line to the runner, which is Node's IPC channel. The runner asks by name
 * and gets an answer; when the line closes, however it came about, the process ends, so none is
 * ever left behind.
 */
interface Question {
  readonly id: number;
  readonly name: string;
  readonly value: unknown;
}

/** Every instance of a service by name, as its port on the loopback interface. */
export type Directory = Readonly<Record<string, readonly number[]>>;

/** How long a process may take to send off its last telemetry. */
const farewellMs = 1500;

const answers = new Map<string, (value: never) => unknown>();
const farewells: (() => Promise<unknown>)[] = [];

/** Answers the runner's question `name`. */
export function answer<T>(name: string, work: (value: T) => unknown): void {
  answers.set(name, work);
}

/** Runs when the line has closed, before the process ends. */
export function beforeExit(work: () => Promise<unknown>): void {
  farewells.push(work);
}

/** Tells the runner that this process serves, and on which port. Questions come only after this. */
export function ready(port = 0): void {
  process.send?.({ ready: true, port });
}

process.on("message", async ({ id, name, value }: Question) => {
  try {
    const result = await answers.get(name)?.(value as never);
    if (process.connected) process.send?.({ id, value: result });
  } catch (error) {
    if (process.connected) process.send?.({ id, problem: String(error) });
  }
});

process.once("disconnect", async () => {
  setTimeout(() => process.exit(), farewellMs);
  await Promise.allSettled(farewells.map((work) => work()));
  process.exit();
});

// The runner may be gone before anyone listens for it.
if (!process.connected) process.exit();

// Ctrl-C reaches the whole group of processes; the runner decides in which order they end.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => process.exit());
