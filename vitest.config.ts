import { defineConfig } from "vitest/config";

/** What starts systems of many processes needs the machine for itself, after everything else. */
const system = ["test/demo/**/*.test.ts", "test/ui/**/*.test.ts"];
/** Faults and attacks, each against processes of its own; some at a time. */
const rows = ["test/scoreboard.test.ts", "test/sim/sim.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "product",
          include: ["test/**/*.test.ts"],
          exclude: [...system, ...rows],
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "rows",
          include: rows,
          maxWorkers: 1,
          maxConcurrency: 3,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: system,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
