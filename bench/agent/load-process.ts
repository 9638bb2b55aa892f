/** The other end of `load.ts`. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AgentProcess } from "./agent-process.ts";
import type { Job, Sent } from "./load.ts";

export interface LoadProcess {
  /** Sends a job to an agent; gives what was sent and what it cost the agent. */
  run(agent: AgentProcess, job: Omit<Job, "port">): Promise<Sent & Cost>;
  stop(): void;
}

export interface Cost {
  readonly cpuMs: number;
  /** The agent's, right afterwards. */
  readonly rssBytes: number;
}

const program = fileURLToPath(new URL("./load.js", import.meta.url));

export function startLoadProcess(): LoadProcess {
  const child = fork(program);
  return {
    async run(agent, job) {
      const port = agent.ports[job.protocol];
      await tell(child, { job: { ...job, port } });
      const before = await agent.usage();
      const sent = (await tell(child, "go")) as Sent;
      const after = await agent.usage();
      return { ...sent, cpuMs: after.cpuMs - before.cpuMs, rssBytes: after.rssBytes };
    },
    stop: () => child.kill(),
  };
}

function tell(child: ChildProcess, message: object | string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new Error("the load process has ended"));
    child.once("close", lost);
    child.once("message", (answer) => {
      child.off("close", lost);
      resolve(answer);
    });
    child.send(message);
  });
}
