/** What a running Brunt tells whoever started it: where to send, where to look, what to type. */
import type { HostedBroker } from "./mqtt-receivers.ts";
import type { Terminal } from "./terminal/terminal.ts";

export interface Addresses {
  readonly host: string;
  /** Undefined where that part does not run here. */
  readonly grpcPort?: number;
  readonly httpPort?: number;
  readonly port?: number;
  readonly mqtt?: HostedBroker | undefined;
}

const defaultPort = 4319;
const labelWidth = 11;

export function renderBanner(
  addresses: Addresses,
  { command, terminal }: { readonly command: string; readonly terminal: Terminal },
): string {
  const { style } = terminal;
  const row = (label: string, text: string, note = ""): string =>
    `  ${style.cyan(label.padEnd(labelWidth))}${text}${note === "" ? "" : `  ${style.dim(note)}`}\n`;
  const at = (port: number): string => urlOf(addresses.host, port);
  let text = "";
  if (addresses.httpPort !== undefined) {
    const endpoint = at(addresses.httpPort);
    text += row("send", endpoint, "OTLP/HTTP");
    if (addresses.grpcPort !== undefined) text += row("", at(addresses.grpcPort), "OTLP/gRPC");
    text += row("", style.dim(`export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`));
  }
  if (addresses.mqtt !== undefined) {
    const { scheme, port } = addresses.mqtt;
    const broker = at(port).replace("http:", `${scheme}:`);
    text += row("devices", broker, "brunt agent --collector");
  }
  if (addresses.port !== undefined) {
    const url = at(addresses.port);
    const where = addresses.port === defaultPort ? "" : ` --url ${url}`;
    text += row("look", url);
    text += row("follow", `${command} watch${where}`);
    text += row("ask", `${command} why <service>${where}`);
  }
  return text;
}

export function urlOf(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
