/** The manifests of deploy/kubernetes as values, and the API types they claim to be. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonSet, StatefulSet } from "kubernetes-models/apps/v1";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { ConfigMap, Namespace, Service, ServiceAccount } from "kubernetes-models/v1";
import { parseAllDocuments } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: a manifest is whatever its file says until checked
export type Manifest = any;

export const manifestDirectory = fileURLToPath(new URL("../../deploy/kubernetes", import.meta.url));

export interface Placed {
  readonly file: string;
  readonly name: string;
  readonly manifest: Manifest;
}

/** Every document of every file but kustomization.yaml, which kubectl itself reads. */
export const manifests: readonly Placed[] = readdirSync(manifestDirectory)
  .filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
  .flatMap((file) => parseManifests(file, readFileSync(join(manifestDirectory, file), "utf8")));

/** @throws on YAML that is not valid */
export function parseManifests(file: string, text: string): Placed[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    const manifest: Manifest = document.toJS();
    return { file, name: `${manifest.kind} ${manifest.metadata?.name}`, manifest };
  });
}

export function manifestOf(kind: string, name: string): Manifest {
  const found = manifests.find((placed) => placed.name === `${kind} ${name}`);
  if (found === undefined) throw new Error(`no ${kind} ${name} in ${manifestDirectory}`);
  return found.manifest;
}

interface ApiType {
  /** Where kubernetes-models declares `I<Kind>`. */
  readonly module: string;
  readonly model: new (data: Manifest) => { validate(): void };
}

export const apiTypes: ReadonlyMap<string, ApiType> = new Map([
  ["apps/v1 DaemonSet", { module: "kubernetes-models/apps/v1", model: DaemonSet }],
  ["apps/v1 StatefulSet", { module: "kubernetes-models/apps/v1", model: StatefulSet }],
  ["v1 ConfigMap", { module: "kubernetes-models/v1", model: ConfigMap }],
  ["v1 Namespace", { module: "kubernetes-models/v1", model: Namespace }],
  ["v1 Service", { module: "kubernetes-models/v1", model: Service }],
  ["v1 ServiceAccount", { module: "kubernetes-models/v1", model: ServiceAccount }],
  [
    "networking.k8s.io/v1 NetworkPolicy",
    { module: "kubernetes-models/networking.k8s.io/v1", model: NetworkPolicy },
  ],
]);

export function apiTypeOf({ apiVersion, kind }: Manifest): ApiType | undefined {
  return apiTypes.get(`${apiVersion} ${kind}`);
}

/** What the schema of its kind says against it; undefined when nothing. */
export function schemaFault(manifest: Manifest): string | undefined {
  const type = apiTypeOf(manifest);
  if (type === undefined) return `no schema for ${manifest.apiVersion} ${manifest.kind}`;
  try {
    new type.model(manifest).validate();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Pods as their controllers make them. */
export const podTemplates: readonly Placed[] = manifests
  .filter(({ manifest }) => manifest.spec?.template !== undefined)
  .map(({ file, name, manifest }) => ({ file, name, manifest: manifest.spec.template }));
