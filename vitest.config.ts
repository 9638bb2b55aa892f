import { defineConfig } from "vitest/config";

/** What starts systems of many processes needs the machine for itself, after everything else. */
const system = ["test/demo/**/*.test.ts", "test/hostile/**/*.test.ts", "test/ui/**/*.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: { name: "product", include: ["test/**/*.test.ts"], exclude: system, maxWorkers: 2 },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: system,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
