/**
 * The restricted Pod Security Standard as a table, and what we hold ourselves to beyond it.
 * Source: Kubernetes documentation, "Pod Security Standards", profile restricted (with baseline).
 */
import type { Manifest } from "./manifests.ts";

export interface PodRule {
  readonly name: string;
  /** Whether a pod template keeps it. */
  readonly keeps: (pod: Manifest) => boolean;
  /** Breaks it, in a pod that keeps it: the rule must notice. */
  readonly break: (pod: Manifest) => void;
}

const volumeKinds = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

const containersOf = (pod: Manifest): Manifest[] => [
  ...(pod.spec.initContainers ?? []),
  ...pod.spec.containers,
];
const everyContainer = (pod: Manifest, keeps: (container: Manifest) => boolean): boolean =>
  containersOf(pod).length > 0 && containersOf(pod).every(keeps);
const first = (pod: Manifest): Manifest => pod.spec.containers[0];

/** A setting of the container, or else of its pod. */
const setting = (pod: Manifest, container: Manifest, name: string): unknown =>
  container.securityContext?.[name] ?? pod.spec.securityContext?.[name];

export const podRules: readonly PodRule[] = [
  {
    name: "no host namespaces",
    keeps: ({ spec }) => !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
    break: ({ spec }) => {
      spec.hostNetwork = true;
    },
  },
  {
    name: "no host ports",
    keeps: (pod) =>
      everyContainer(pod, ({ ports = [] }) => ports.every((port: Manifest) => !port.hostPort)),
    break: (pod) => {
      first(pod).ports[0].hostPort = 4317;
    },
  },
  {
    name: "volumes of harmless kinds only, so no hostPath",
    keeps: ({ spec }) =>
      (spec.volumes ?? []).every(({ name: _, ...source }: Manifest) =>
        Object.keys(source).every((kind) => volumeKinds.includes(kind)),
      ),
    break: ({ spec }) => {
      spec.volumes.push({ name: "host", hostPath: { path: "/" } });
    },
  },
  {
    name: "not privileged",
    keeps: (pod) => everyContainer(pod, ({ securityContext: context }) => !context?.privileged),
    break: (pod) => {
      first(pod).securityContext.privileged = true;
    },
  },
  {
    name: "no privilege escalation",
    keeps: (pod) =>
      everyContainer(
        pod,
        ({ securityContext: context }) => context?.allowPrivilegeEscalation === false,
      ),
    break: (pod) => {
      delete first(pod).securityContext.allowPrivilegeEscalation;
    },
  },
  {
    name: "every capability dropped, none added",
    keeps: (pod) =>
      everyContainer(pod, ({ securityContext: context }) => {
        const { drop = [], add = [] } = context?.capabilities ?? {};
        return drop.includes("ALL") && add.length === 0;
      }),
    break: (pod) => {
      first(pod).securityContext.capabilities.add = ["NET_RAW"];
    },
  },
  {
    name: "not as root",
    keeps: (pod) => everyContainer(pod, (c) => setting(pod, c, "runAsNonRoot") === true),
    break: (pod) => {
      first(pod).securityContext.runAsNonRoot = false;
    },
  },
  {
    name: "as user 65532, the image's own",
    keeps: (pod) => everyContainer(pod, (c) => setting(pod, c, "runAsUser") === 65_532),
    break: ({ spec }) => {
      spec.securityContext.runAsUser = 0;
    },
  },
  {
    name: "seccomp profile of the runtime",
    keeps: (pod) =>
      everyContainer(pod, (container) => {
        const profile = setting(pod, container, "seccompProfile") as Manifest;
        return profile?.type === "RuntimeDefault";
      }),
    break: ({ spec }) => {
      spec.securityContext.seccompProfile = { type: "Unconfined" };
    },
  },
  {
    name: "no SELinux, AppArmor, sysctl or proc mount of its own",
    keeps: (pod) =>
      pod.spec.securityContext?.sysctls === undefined &&
      everyContainer(pod, (container) =>
        ["seLinuxOptions", "appArmorProfile", "procMount"].every(
          (name) => setting(pod, container, name) === undefined,
        ),
      ),
    break: ({ spec }) => {
      spec.securityContext.sysctls = [{ name: "kernel.msgmax", value: "1" }];
    },
  },
  {
    name: "root file system read only",
    keeps: (pod) =>
      everyContainer(pod, ({ securityContext: c }) => c?.readOnlyRootFilesystem === true),
    break: (pod) => {
      first(pod).securityContext.readOnlyRootFilesystem = false;
    },
  },
  {
    name: "no token of the API server",
    keeps: ({ spec }) => spec.automountServiceAccountToken === false,
    break: ({ spec }) => {
      delete spec.automountServiceAccountToken;
    },
  },
  {
    name: "requests and limits for CPU and memory",
    keeps: (pod) =>
      everyContainer(pod, ({ resources }) =>
        ["requests", "limits"].every((side) =>
          ["cpu", "memory"].every((unit) => resources?.[side]?.[unit] !== undefined),
        ),
      ),
    break: (pod) => {
      delete first(pod).resources.limits.memory;
    },
  },
  {
    name: "stops within 30 s",
    keeps: ({ spec }) => spec.terminationGracePeriodSeconds === 30,
    break: ({ spec }) => {
      spec.terminationGracePeriodSeconds = 0;
    },
  },
];
