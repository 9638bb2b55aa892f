/** What the simulated disk may leave behind, so that what runs on it is tried by all of it. */
import { describe, expect, test } from "vitest";
import { Incarnation } from "./incarnation.ts";
import { Scheduler } from "./scheduler.ts";
import { SimDisk } from "./sim-disk.ts";

const directory = "/data/log";
const path = `${directory}/a`;
const old = Uint8Array.of(1, 2, 3, 4);
const added = new Uint8Array(300).fill(7);
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

interface Machine {
  readonly scheduler: Scheduler;
  readonly disk: SimDisk;
  readonly life: Incarnation;
}

function machine(seed: number, shortWrites = 0): Machine {
  const scheduler = new Scheduler(0);
  const disk = new SimDisk({ seed, name: "a", shortWrites });
  return { scheduler, disk, life: new Incarnation("a", scheduler) };
}

/** What `work` gives on the machine, in virtual time; undefined when it never settles. */
async function run<T>({ scheduler }: Machine, work: Promise<T>): Promise<T | undefined> {
  let value: T | undefined;
  let error: unknown;
  work.then(
    (given) => {
      value = given;
    },
    (cause) => {
      error = cause;
    },
  );
  await scheduler.runUntil(scheduler.nowMs + 60_000);
  if (error !== undefined) throw error;
  return value;
}

/** Writes `old`, makes all of it durable, then does `more` and has the power cut or the process
 * killed; gives what is there afterwards. */
async function check(
  seed: number,
  end: "kill" | "cutPower",
  more: (
    machine: Machine,
    write: (bytes: Uint8Array, at: number) => Promise<void>,
  ) => Promise<void>,
): Promise<{ readonly names: readonly string[]; readonly bytes: Uint8Array | undefined }> {
  const at = machine(seed);
  const disk = at.disk.mount(at.life);
  await run(
    at,
    (async () => {
      await disk.makeDirectory(directory);
      const file = await disk.open(path, "w");
      const write = async (bytes: Uint8Array, position: number): Promise<void> => {
        const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
        expect(bytesWritten).toBe(bytes.length);
      };
      await write(old, 0);
      await file.datasync();
      await disk.syncDirectory(directory);
      await more(at, write);
    })(),
  );
  at.life.kill();
  at.disk[end]();
  const next = new Incarnation("b", at.scheduler);
  const again = at.disk.mount(next);
  const names = await run(at, again.list(directory));
  return { names: names ?? [], bytes: await run(at, again.read(path)) };
}

/** Which shapes of outcome the seeds bring about. */
async function outcomes(shape: (seed: number) => Promise<string>): Promise<string[]> {
  const seen = new Set<string>();
  for (const seed of seeds) seen.add(await shape(seed));
  return [...seen].sort();
}

describe("a power cut", () => {
  test("keeps what was synced and any part of what was not", async () => {
    const shapes = await outcomes(async (seed) => {
      const { bytes = new Uint8Array(0) } = await check(seed, "cutPower", (_, write) =>
        write(added, old.length),
      );
      expect([...bytes.subarray(0, old.length)]).toEqual([...old]);
      const rest = bytes.subarray(old.length);
      if (rest.length === 0) return "nothing";
      if (rest.includes(0)) return "holes";
      return rest.length === added.length ? "everything" : "the beginning";
    });
    expect(shapes).toEqual(["everything", "holes", "nothing", "the beginning"]);
  });

  test("keeps or loses a name that was not synced", async () => {
    const shapes = await outcomes(async (seed) => {
      const { names } = await check(seed, "cutPower", async ({ disk, life }) => {
        const file = await disk.mount(life).open(`${directory}/b`, "w");
        await file.datasync();
      });
      return [...names].sort().join();
    });
    expect(shapes).toEqual(["a", "a,b"]);
  });

  test("leaves the old name or the new one of a rename, never none or both", async () => {
    const shapes = await outcomes(async (seed) => {
      const { names } = await check(seed, "cutPower", ({ disk, life }) =>
        disk.mount(life).rename(path, `${directory}/b`),
      );
      return names.join();
    });
    expect(shapes).toEqual(["a", "b"]);
  });

  test("may bring back what was removed, until the directory is synced", async () => {
    const remove = async ({ disk, life }: Machine) => disk.mount(life).remove(path);
    const unsynced = await outcomes(async (seed) => {
      const { bytes } = await check(seed, "cutPower", remove);
      return bytes === undefined ? "gone" : "back";
    });
    const synced = await outcomes(async (seed) => {
      const { bytes } = await check(seed, "cutPower", async (at) => {
        await remove(at);
        await at.disk.mount(at.life).syncDirectory(directory);
      });
      return bytes === undefined ? "gone" : "back";
    });
    expect({ unsynced, synced }).toEqual({ unsynced: ["back", "gone"], synced: ["gone"] });
  });

  test("may lose what a failed sync was to make durable, even when a later one succeeds", async () => {
    const shapes = await outcomes(async (seed) => {
      const at = machine(seed);
      const disk = at.disk.mount(at.life);
      const work = (async () => {
        await disk.makeDirectory(directory);
        const file = await disk.open(path, "w");
        await file.write(old, 0, old.length, 0);
        at.disk.health = "broken";
        const failed = await file.datasync().then(
          () => false,
          () => true,
        );
        at.disk.health = "well";
        await file.datasync();
        await disk.syncDirectory(directory);
        return failed;
      })();
      const failed = await run(at, work);
      at.life.kill();
      at.disk.cutPower();
      const next = at.disk.mount(new Incarnation("b", at.scheduler));
      const bytes = await run(at, next.read(path));
      return `${failed ? "failed" : "synced"}, ${bytes?.length === old.length ? "there" : "lost"}`;
    });
    expect(shapes).toEqual(["failed, lost", "failed, there", "synced, there"]);
  });
});

describe("a killed process", () => {
  test("leaves what it wrote, synced or not", async () => {
    for (const seed of seeds) {
      const { bytes } = await check(seed, "kill", (_, write) => write(added, old.length));
      expect(bytes?.length).toBe(old.length + added.length);
    }
  });

  test("leaves the operation it was in done, half done or not done, and hears no more", async () => {
    const shapes = await outcomes(async (seed) => {
      const at = machine(seed);
      const disk = at.disk.mount(at.life);
      await run(at, disk.makeDirectory(directory));
      const file = await run(at, disk.open(path, "w"));
      let settled = false;
      file?.write(added, 0, added.length, 0).finally(() => {
        settled = true;
      });
      at.life.kill();
      at.disk.kill();
      const next = at.disk.mount(new Incarnation("b", at.scheduler));
      const size = (await run(at, next.read(path)))?.length ?? 0;
      expect(settled).toBe(false);
      return size === 0 ? "nothing" : size === added.length ? "everything" : "a part";
    });
    expect(shapes).toEqual(["a part", "everything", "nothing"]);
  });

  test("gives back the directories it owned", async () => {
    const at = machine(1);
    const next = new Incarnation("b", at.scheduler);
    await run(at, at.disk.mount(at.life).own(directory));
    await expect(run(at, at.disk.mount(next).own(directory))).rejects.toThrow("in use");
    at.life.kill();
    await run(at, at.disk.mount(next).own(directory));
  });
});

describe("a disk that refuses", () => {
  const attempt = async (seed: number, health: "full" | "well", shortWrites: number) => {
    const at = machine(seed, shortWrites);
    const disk = at.disk.mount(at.life);
    await run(at, disk.makeDirectory(directory));
    const file = await run(at, disk.open(path, "w"));
    at.disk.health = health;
    try {
      const outcome = await run(at, file?.write(added, 0, added.length, 0) ?? Promise.reject());
      return outcome?.bytesWritten === added.length ? "everything" : "a part";
    } catch (cause) {
      return (cause as NodeJS.ErrnoException).code ?? "";
    }
  };

  test.each([
    ["full", 0, ["ENOSPC", "a part"]],
    ["well", 0.5, ["a part", "everything"]],
    ["well", 0, ["everything"]],
  ] as const)("%s with short writes of %d: %j", async (health, shortWrites, expected) => {
    expect(await outcomes((seed) => attempt(seed, health, shortWrites))).toEqual(expected);
  });
});

test("the same seed leaves the same", async () => {
  const once = () => check(42, "cutPower", (_, write) => write(added, old.length));
  expect(await once()).toEqual(await once());
});
