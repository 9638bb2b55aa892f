/**
 * The collector: its core behind one port for batches, API, event stream and user interface.
 * Until the core has rebuilt its memory only `/livez` answers.
 */
import type { Cancel } from "../base/clock.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import { accessByFile } from "./access/token-file.ts";
import { createEventStream, type EventStream } from "./api/event-stream.ts";
import { withoutDetail } from "./api/routes.ts";
import { type Server, startServer } from "./api/server.ts";
import { readUiManifest } from "./api/ui-manifest.ts";
import {
  type CollectorCore,
  type CollectorSettings,
  createCollectorCore,
} from "./collector-core.ts";
import type { CollectorConfig } from "./config.ts";
import { createHttpPost } from "./notify/http-post.ts";
import { Notify } from "./notify/notify.ts";

export interface Collector {
  /** Resolves when batches are taken. @throws ADDRESS_IN_USE, STORE_LOCKED */
  start(): Promise<void>;
  /** Safe without start and twice; nothing runs after it. Open windows stay in the log. */
  shutdown(): Promise<void>;
  /** 0 until started. */
  readonly port: number;
  readonly link: CollectorLink;
  /** Resolves when everything accepted is applied and every window due is decided. */
  settled(): Promise<void>;
}

export function createCollector(config: CollectorConfig, settings: CollectorSettings): Collector {
  return new CollectorProcess(config, settings);
}

class CollectorProcess implements Collector {
  readonly #config: CollectorConfig;
  readonly #settings: CollectorSettings;
  readonly #core: CollectorCore;
  readonly #stream: EventStream;
  readonly #notify: Notify;
  #server: Server | undefined;
  #cancel: Cancel = () => {};
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(config: CollectorConfig, settings: CollectorSettings) {
    const { clock, meter } = settings;
    this.#config = config;
    this.#settings = settings;
    this.#core = createCollectorCore(config, settings);
    this.#stream = createEventStream({
      clock,
      meter,
      events: this.#core.store.events,
      incidents: () => this.#core.incidents().map(withoutDetail),
      clientsMax: config.streamClientsMax,
    });
    this.#notify = createNotify(config, settings, this.#core);
    this.#core.onEvents((published) => {
      this.#stream.publish();
      this.#notify.take(published);
    });
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get link(): CollectorLink {
    return this.#core.link;
  }

  async start(): Promise<void> {
    if (this.#started || this.#stopped !== undefined) return;
    this.#started = true;
    const { host, port, allowedHosts, inFlightBytesMax, uiDir, tokensFile } = this.#config;
    const { clock, log, meter } = this.#settings;
    const { access, cancel } = await accessByFile(tokensFile, { clock, log, meter });
    this.#cancel = cancel;
    // Listening comes first: a port that is taken is the commoner mistake, and sooner found.
    this.#server = await startServer({
      host,
      port,
      allowedHosts,
      inFlightBytesMax,
      log,
      meter,
      source: this.#core,
      silences: this.#notify.silences,
      stream: this.#stream,
      access,
      ui: await readUiManifest(uiDir),
    });
    await this.#core.start();
    await this.#notify.start();
    log.info("collector is ready", { port: this.port, logBytes: this.#core.store.logBytes });
  }

  settled(): Promise<void> {
    return this.#core.settled();
  }

  shutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Alerts first, as they are kept beside what the core gives up; what it still publishes is told
   * after the next start. Then the core: from then on everything is refused.
   */
  async #stop(): Promise<void> {
    this.#cancel();
    await this.#notify.shutdown();
    await this.#core.shutdown();
    await this.#stream.shutdown();
    await this.#server?.shutdown();
  }
}

const hourMs = 3_600_000;

function createNotify(
  config: CollectorConfig,
  settings: CollectorSettings,
  core: CollectorCore,
): Notify {
  const { clock, post = createHttpPost({ clock }), chance = Math.random } = settings;
  return new Notify(config, {
    ...settings,
    ...{ post, chance },
    directory: `${config.dataDir}/notify`,
    retentionMs: config.retentionHours * hourMs,
    events: core.store.events,
    incidents: () => core.incidents(),
  });
}
