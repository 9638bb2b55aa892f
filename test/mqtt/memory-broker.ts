/**
 * A broker in memory that a test holds in its hand: connections come up and end when it says so,
 * and whatever was published is there to look at.
 */
import type {
  MqttHello,
  MqttListener,
  MqttOpen,
  MqttPublish,
  MqttVersion,
} from "../../wire/mqtt-session.ts";

export interface MemoryConnection {
  readonly hello: MqttHello & { readonly version: MqttVersion };
  readonly listener: MqttListener;
  readonly published: MqttPublish[];
  isClosed: boolean;
  /** Takes what was published, or refuses it. */
  takeAll(refusal?: string): void;
}

export interface MemoryBroker {
  readonly open: MqttOpen;
  readonly connections: MemoryConnection[];
  readonly newest: MemoryConnection;
}

export function createMemoryBroker(): MemoryBroker {
  const connections: MemoryConnection[] = [];
  return {
    connections,
    get newest() {
      return connections[connections.length - 1] as MemoryConnection;
    },
    open(hello, listener) {
      const waiting: ((refusal?: string) => void)[] = [];
      const connection: MemoryConnection = {
        hello,
        listener,
        published: [],
        isClosed: false,
        takeAll(refusal) {
          for (const taken of waiting.splice(0)) taken(refusal);
        },
      };
      connections.push(connection);
      return {
        publish(message, taken) {
          connection.published.push(message);
          waiting.push(taken);
        },
        close: async () => {
          connection.isClosed = true;
        },
      };
    },
  };
}
