/**
 * A shop of eleven services in fourteen processes, with a Postgres, an MQTT broker and customers,
 * all on this machine. Its services send OpenTelemetry traces to `otlpEndpoint`; which fault is on
 * is known to the runner alone.
 *
 *   customers → frontend → catalog ─────────────▶ database
 *                        → recommendations
 *                        → cart
 *                        → checkout → pricing → tax
 *                                   → inventory ▶ database
 *                                   → payments (two regions, two versions)
 *                                   → queue → fulfillment → loyalty
 */
import { availableParallelism } from "node:os";
import type { Log } from "../base/log.ts";
import { type Child, startChild } from "./child.ts";
import type { Fault } from "./faults.ts";
import type { Directory } from "./line.ts";
import type { LoadSettings } from "./load.ts";
import { type ProcessPlan, partNames, pricingNext, servicePlans } from "./processes.ts";
import type { Truth, TruthQuestion } from "./truth.ts";

export interface ShopSettings {
  /** Base URL of an OTLP/HTTP receiver. */
  readonly otlpEndpoint: string;
  readonly seed: number;
  readonly log: Log;
  readonly requestsPerSecond: number;
  /** Called as each process comes up. */
  readonly onProgress?: (done: number, total: number, name: string) => void;
}

export interface ShopService {
  readonly name: string;
  readonly version: string;
  readonly region: string;
  readonly pid: number;
}

export interface Shop {
  /** Takes back the fault that is on and switches on `fault`. */
  setFault(fault: Fault | "none"): Promise<void>;
  /** What the customers went through in a span of time. */
  truth(question: TruthQuestion): Promise<Truth>;
  /** The processes that send telemetry, as they run now. */
  readonly services: readonly ShopService[];
  /** Every process of the shop. */
  readonly pids: readonly number[];
  shutdown(): Promise<void>;
}

interface Service {
  readonly plan: ProcessPlan;
  readonly child: Child;
}

/** Everything that runs. */
interface Running {
  readonly settings: ShopSettings;
  services: Service[];
  readonly parts: Map<string, Child>;
}

type Switch = (running: Running, on: boolean) => Promise<void>;

export async function startShop(settings: ShopSettings): Promise<Shop> {
  const running: Running = { settings, services: [], parts: new Map() };
  try {
    await startAll(running);
  } catch (error) {
    await stopAll(running);
    throw error;
  }
  let current: Fault | "none" = "none";
  // One change at a time: a deploy takes a moment.
  let lastChange: Promise<void> = Promise.resolve();
  const change = async (fault: Fault | "none"): Promise<void> => {
    if (fault === current) return;
    if (current !== "none") await switches[current](running, false);
    current = "none";
    if (fault !== "none") await switches[fault](running, true);
    current = fault;
  };
  return {
    setFault(fault) {
      lastChange = lastChange.catch(() => undefined).then(() => change(fault));
      return lastChange;
    },
    truth: (question) => part(running, "load").ask<Truth>("truth", question),
    get services() {
      return running.services.map(({ plan: { name, version, region }, child: { pid } }) => ({
        name,
        version,
        region,
        pid,
      }));
    },
    get pids() {
      return everyChild(running).map(({ pid }) => pid);
    },
    shutdown: async () => {
      await lastChange.catch(() => undefined);
      await stopAll(running);
    },
  };
}

const switches: Readonly<Record<Fault, Switch>> = {
  a: (running, on) => {
    const broken = running.services.filter(
      ({ plan }) =>
        plan.name === "payments" && plan.version === "2.4.0" && plan.region === "eu-west-1",
    );
    return trouble(
      broken.map(({ child }) => child),
      on,
    );
  },
  b: (running, on) => trouble([part(running, "database")], on),
  c: async (running, on) => {
    const tax = serviceOf(running, "tax");
    if (on) return tax.child.kill();
    const next = { plan: tax.plan, child: await startService(running, tax.plan) };
    running.services = running.services.map((each) => (each === tax ? next : each));
    await connect(running);
  },
  d: (running, on) => deploy(running, on ? pricingNext : planOf("pricing"), on),
  e: (running, on) => trouble([part(running, "load")], on),
  f: (running, on) => trouble([serviceOf(running, "tax").child], on),
};

async function trouble(children: readonly Child[], on: boolean): Promise<void> {
  await Promise.all(children.map((child) => child.ask("trouble", on)));
}

/** Replaces a service without losing a request: the old one goes when nobody asks it any more. */
async function deploy(running: Running, plan: ProcessPlan, troubled: boolean): Promise<void> {
  const old = serviceOf(running, plan.name);
  const next = { plan, child: await startService(running, plan) };
  await trouble([next.child], troubled);
  running.services.push(next);
  await connect(running);
  running.services = running.services.filter((each) => each !== old);
  await connect(running);
  await old.child.ask("drain");
  await old.child.stop();
}

async function startAll(running: Running): Promise<void> {
  const { settings } = running;
  const total = servicePlans.length + partNames.length + 1;
  let done = 0;
  const come = (name: string): void => settings.onProgress?.(++done, total, name);
  const starts = [
    ...[...partNames, "load"].map((name) => async () => {
      running.parts.set(name, await startPart(running, name));
      come(name);
    }),
    ...servicePlans.map((plan) => async () => {
      running.services.push({ plan, child: await startService(running, plan) });
      come(plan.name);
    }),
  ];
  await runSome(starts, availableParallelism() + 1);
  await connect(running);
  const load: LoadSettings = { requestsPerSecond: settings.requestsPerSecond };
  await part(running, "load").ask("start", load);
}

/** Runs all of `works`, at most `atOnce` at a time; waits for the running ones when one fails. */
async function runSome(works: (() => Promise<void>)[], atOnce: number): Promise<void> {
  const queue = [...works];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
  };
  const lanes = Array.from({ length: atOnce }, () =>
    lane().catch((error: unknown) => {
      queue.length = 0;
      throw error;
    }),
  );
  const failure = (await Promise.allSettled(lanes)).find(({ status }) => status === "rejected");
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason;
}

/** Tells every process where the others are, and waits until it knows. */
async function connect(running: Running): Promise<void> {
  const directory: Record<string, number[]> = {};
  const list = (name: string, { port }: Child): void => {
    directory[name] = [...(directory[name] ?? []), port];
  };
  for (const { plan, child } of running.services) list(plan.host ?? plan.name, child);
  for (const name of partNames) list(name, part(running, name));
  const told: Directory = directory;
  await Promise.all(
    running.services
      .map(({ child }) => child.ask("directory", told))
      .concat(part(running, "load").ask("directory", told)),
  );
}

function startService({ settings }: Running, plan: ProcessPlan): Promise<Child> {
  const { name, version, region } = plan;
  return startChild({
    name,
    file: new URL(`./services/${name}.js`, import.meta.url),
    preload: new URL("./instrument.js", import.meta.url),
    environment: {
      SHOP_SEED: seedOf(settings, plan),
      OTEL_SERVICE_NAME: name,
      OTEL_RESOURCE_ATTRIBUTES: [
        `service.version=${version}`,
        "deployment.environment.name=demo",
        `cloud.region=${region}`,
      ].join(","),
      OTEL_EXPORTER_OTLP_ENDPOINT: settings.otlpEndpoint,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_NODE_RESOURCE_DETECTORS: "env,serviceinstance",
      OTEL_BSP_SCHEDULE_DELAY: "1000",
    },
    log: settings.log,
  });
}

function startPart({ settings }: Running, name: string): Promise<Child> {
  const file = name === "load" ? "./load.js" : `./services/${name}.js`;
  return startChild({
    name,
    file: new URL(file, import.meta.url),
    environment: { SHOP_SEED: String(settings.seed * 1000) },
    log: settings.log,
  });
}

/** The customers go first, and then the services, so that none sees another vanish. */
async function stopAll(running: Running): Promise<void> {
  const load = running.parts.get("load");
  await load?.stop();
  await Promise.all(running.services.map(({ child }) => child.stop()));
  await Promise.all([...running.parts.values()].map((child) => child.stop()));
}

function everyChild(running: Running): Child[] {
  return [...running.services.map(({ child }) => child), ...running.parts.values()];
}

/** Differs for each process, so that they do not have their bad luck all at once. */
function seedOf({ seed }: ShopSettings, plan: ProcessPlan): string {
  return String(seed * 1000 + servicePlans.indexOf(plan) + 2);
}

function serviceOf(running: Running, name: string): Service {
  return running.services.find(({ plan }) => plan.name === name) as Service;
}

function planOf(name: string): ProcessPlan {
  return servicePlans.find((plan) => plan.name === name) as ProcessPlan;
}

function part(running: Running, name: string): Child {
  return running.parts.get(name) as Child;
}
