/** The manifests against the Kubernetes schemas, the restricted profile, and our own program. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { defaultAgentConfig } from "../../agent/config.ts";
import { commands } from "../../cli/commands.ts";
import { parseArguments } from "../../cli/line/arguments.ts";
import { readSettings, type Settings } from "../../cli/line/settings.ts";
import { defaultCollectorConfig } from "../../collector/config.ts";
import {
  type Manifest,
  manifestDirectory,
  manifestOf,
  manifests,
  parseManifests,
  podTemplates,
  schemaFault,
} from "./manifests.ts";
import { podRules } from "./restricted.ts";
import { unknownFields } from "./unknown-fields.ts";

const agent = manifestOf("DaemonSet", "brunt-agent");
const collector = manifestOf("StatefulSet", "brunt-collector");
const podOf = (workload: Manifest): Manifest => workload.spec.template.spec;
const containerOf = (workload: Manifest): Manifest => podOf(workload).containers[0];

describe("schemas", () => {
  test.each(manifests)("$file: $name", ({ manifest }) => {
    expect(schemaFault(manifest)).toBeUndefined();
  });

  test("no field is misspelt", () => {
    expect(unknownFields(manifests.map(({ manifest }) => manifest))).toEqual([]);
  });

  const wrong: readonly [string, (agent: Manifest) => void, RegExp][] = [
    [
      "a port as text",
      (m) => {
        containerOf(m).ports[0].containerPort = "4317";
      },
      /must be integer/,
    ],
    [
      "no selector",
      (m) => {
        delete m.spec.selector;
      },
      /selector/,
    ],
    [
      "a container without a name",
      (m) => {
        delete containerOf(m).name;
      },
      /name/,
    ],
    [
      "tolerations as an object",
      (m) => {
        podOf(m).tolerations = {};
      },
      /must be array/,
    ],
    [
      "an unknown kind",
      (m) => {
        m.kind = "DaemonSett";
      },
      /no schema/,
    ],
  ];
  test.each(wrong)("notice %s", (_, spoil, expected) => {
    const manifest = structuredClone(agent);
    spoil(manifest);
    expect(schemaFault(manifest)).toMatch(expected);
  });

  test("notice a misspelt field", () => {
    const manifest = structuredClone(agent);
    containerOf(manifest).livenessProb = {};
    expect(unknownFields([manifest]).join()).toMatch(/livenessProb/);
  });

  test("notice YAML that is none", () => {
    expect(() => parseManifests("x.yaml", "a: b: c")).toThrow();
  });
});

describe("restricted pods", () => {
  test.each(podRules)("$name", ({ keeps, break: spoil }) => {
    expect(podTemplates).toHaveLength(2);
    for (const { manifest } of podTemplates) {
      expect(keeps(manifest)).toBe(true);
      const broken = structuredClone(manifest);
      spoil(broken);
      expect(keeps(broken)).toBe(false);
    }
  });

  test("the namespace is held to it", () => {
    const { labels } = manifestOf("Namespace", "brunt").metadata;
    expect(labels["pod-security.kubernetes.io/enforce"]).toBe("restricted");
  });

  test("no rights on the API server are asked for", () => {
    expect(manifests.filter(({ manifest }) => /Role/.test(manifest.kind))).toEqual([]);
  });
});

describe("what hangs together", () => {
  test("kustomization.yaml lists exactly the files there are", () => {
    const { resources } = parse(
      readFileSync(join(manifestDirectory, "kustomization.yaml"), "utf8"),
    );
    const files = readdirSync(manifestDirectory).filter((file) => file !== "kustomization.yaml");
    expect(resources.toSorted()).toEqual(files.toSorted());
  });

  test.each(manifests)("$name carries the usual labels and the namespace", ({ manifest }) => {
    const { labels, namespace, name } = manifest.metadata;
    expect(labels["app.kubernetes.io/name"]).toBe("brunt");
    expect(labels["app.kubernetes.io/part-of"]).toBe("brunt");
    expect(manifest.kind === "Namespace" ? name : namespace).toBe("brunt");
  });

  test.each([
    ["brunt-agent", agent],
    ["brunt-collector", collector],
    ["brunt-collector-pods", collector],
  ])("service %s selects its pods and their ports", (name, workload) => {
    const { selector, ports } = manifestOf("Service", name).spec;
    expect(workload.spec.template.metadata.labels).toMatchObject(selector);
    expect(workload.spec.template.metadata.labels).toMatchObject(
      workload.spec.selector.matchLabels,
    );
    const opened = new Map(
      containerOf(workload).ports.map((port: Manifest) => [port.name, port.containerPort]),
    );
    for (const { port, targetPort } of ports) expect(opened.get(targetPort)).toBe(port);
  });

  test("a pod reaches the agent of its own node, and agents run on every node", () => {
    expect(manifestOf("Service", "brunt-agent").spec.internalTrafficPolicy).toBe("Local");
    expect(podOf(agent).tolerations).toEqual([{ operator: "Exists" }]);
    expect(podOf(collector).tolerations).toBeUndefined();
  });

  test.each([
    ["agent", agent, ["4317", "4318"]],
    ["collector", collector, ["4319"]],
  ])("the network policy lets in what the %s serves", (component, workload, ports) => {
    const policy = manifestOf("NetworkPolicy", `brunt-${component}`).spec;
    expect(workload.spec.template.metadata.labels).toMatchObject(policy.podSelector.matchLabels);
    const open = policy.ingress.flatMap(({ ports: all }: Manifest) =>
      all.map(({ port }: Manifest) => String(port)),
    );
    expect(open).toEqual(ports);
  });

  test("everything else is shut", () => {
    const { podSelector, policyTypes, ...rest } = manifestOf("NetworkPolicy", "brunt-deny").spec;
    expect({ podSelector, policyTypes, rest }).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      rest: {},
    });
  });

  test("volumes that are mounted exist, and config maps are there", () => {
    for (const workload of [agent, collector]) {
      const { volumes, containers } = podOf(workload);
      const claims = (workload.spec.volumeClaimTemplates ?? []).map(
        (c: Manifest) => c.metadata.name,
      );
      const names = [...volumes.map(({ name }: Manifest) => name), ...claims];
      expect(containers[0].volumeMounts.map(({ name }: Manifest) => name).toSorted()).toEqual(
        names.toSorted(),
      );
      for (const { configMap } of volumes) {
        if (configMap !== undefined) manifestOf("ConfigMap", configMap.name);
      }
    }
  });
});

/** The settings a container ends up with, by the command line's own reading. */
async function settingsOf(workload: Manifest): Promise<Settings> {
  const { args, env } = containerOf(workload);
  const [name, ...rest] = args as string[];
  const command = await commands.find((candidate) => candidate.name === name)?.load();
  if (command === undefined) throw new Error(`no command ${name}`);
  const parsed = parseArguments(command, rest);
  if (!parsed.ok) throw new Error(parsed.error.join("\n"));
  const config = manifestOf("ConfigMap", workload.metadata.name).data["config.json"];
  const fromFile = JSON.parse(config) as Record<string, Record<string, unknown>>;
  const environment = Object.fromEntries(
    env.map(({ name: key, value }: Manifest) => [key, value ?? "from the pod"]),
  ) as Record<string, string>;
  const options = new Map([...parsed.value.options].filter(([key]) => key !== "config"));
  const settings = readSettings({
    args: { ...parsed.value, options },
    options: command.options,
    environment,
    defaults: fromFile,
  });
  if (!settings.ok) throw new Error(settings.error.join("\n"));
  return settings.value;
}

describe("the program agrees", () => {
  test("with the agent's arguments, variables and file", async () => {
    const settings = (await settingsOf(agent)).agent;
    const { port } = manifestOf("Service", "brunt-collector").spec.ports[0];
    expect(settings.host).toBe("0.0.0.0");
    expect(settings.name).toBe("from the pod");
    expect(settings.collectorUrl).toBe(`http://brunt-collector:${port}`);
    expect(settings.hashKey.reveal()).toBe("file:/etc/brunt-hash-key/hash-key");
    expect(settings.bytesInFlightMax).toBe(32 * 2 ** 20);
  });

  test("the agent's spool fits its volume", async () => {
    const { spoolBytesMax } = (await settingsOf(agent)).agent;
    const { volumes } = podOf(agent);
    const volume = volumes.find(({ name }: Manifest) => name === "data");
    const mebibytes = Number(/^(\d+)Mi$/.exec(volume.emptyDir.sizeLimit)?.[1]);
    expect(mebibytes * 2 ** 20).toBeGreaterThan(spoolBytesMax + 16 * 2 ** 20);
  });

  test("with the collector's", async () => {
    const settings = (await settingsOf(collector)).collector;
    expect(settings.host).toBe("0.0.0.0");
    expect(settings.retentionHours).toBe(48);
    // A filesystem holds less than its volume, and the log and the next window need room too.
    const [claim] = collector.spec.volumeClaimTemplates;
    const gibibytes = Number(/^(\d+)Gi$/.exec(claim.spec.resources.requests.storage)?.[1]);
    expect(settings.storeBytesMax).toBeLessThanOrEqual(gibibytes * 2 ** 30 * 0.85);
  });

  test("with the ports, and the pods' probes ask where it answers", () => {
    const { grpcPort, httpPort } = defaultAgentConfig();
    const { port } = defaultCollectorConfig();
    const portsOf = (workload: Manifest) =>
      containerOf(workload).ports.map(({ containerPort }: Manifest) => containerPort);
    expect(portsOf(agent)).toEqual([grpcPort, httpPort]);
    expect(portsOf(collector)).toEqual([port]);
    for (const [workload, name] of [
      [agent, "otlp-http"],
      [collector, "http"],
    ] as const) {
      const { livenessProbe, readinessProbe } = containerOf(workload);
      expect(livenessProbe.httpGet).toEqual({ path: "/livez", port: name });
      expect(readinessProbe.httpGet).toEqual({ path: "/readyz", port: name });
    }
  });

  test("the image starts it as the same user", () => {
    const dockerfile = readFileSync(new URL("../../deploy/Dockerfile", import.meta.url), "utf8");
    expect(dockerfile).toMatch(/^USER 65532:65532$/m);
    expect(dockerfile).toMatch(
      /^ENTRYPOINT \["node", "--disable-proto=delete", "\/app\/dist\/cli\/main\.js"\]$/m,
    );
    expect(dockerfile).toMatch(/^ARG BASE_IMAGE=node:24-bookworm-slim$/m);
  });
});
