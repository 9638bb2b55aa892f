/** An agent of one process or of several, by its configuration. */
import { fileURLToPath } from "node:url";
import { type Agent, type AgentSettings, createAgent } from "../agent/agent.ts";
import type { AgentConfig } from "../agent/config.ts";

export type AgentFactory = (config: AgentConfig, settings: AgentSettings) => Agent;

/** What several workers need is loaded only for several. */
export async function loadAgentFactory({ workers }: AgentConfig): Promise<AgentFactory> {
  if (workers === 1) return createAgent;
  const { createWorkerAgent } = await import("../agent/workers/worker-agent.ts");
  const workerProgram = fileURLToPath(new URL("./agent-worker.js", import.meta.url));
  return (config, settings) => createWorkerAgent(config, { ...settings, workerProgram });
}
