/**
 * What a far side is, read off its name. Names follow the ladder of the OpenTelemetry conventions:
 * a service, `system:namespace@host` for a database, `system:destination` for messaging, an address.
 */
export type FarSideType = "" | "database" | "messaging_system";

const databases = new Set(
  `cassandra clickhouse cockroachdb couchbase couchdb db2 derby dynamodb aws.dynamodb elasticsearch
  firebirdsql geode h2database hbase hive hsqldb influxdb instantdb mariadb memcached mongodb mssql
  microsoft.sql_server mysql neo4j opensearch oracle oracle.db postgresql redis redshift
  aws.redshift sap.hana sqlite sqlserver spanner gcp.spanner teradata trino valkey azure.cosmosdb
  actian.ingres ibm.db2 ibm.informix ibm.netezza other_sql softwareag.adabas`.split(/\s+/),
);

const messagingSystems = new Set(
  `activemq amqp aws_sqs aws.sns aws_sns eventgrid eventhubs gcp_pubsub jms kafka mqtt nats pulsar
  rabbitmq rocketmq servicebus sqs sns`.split(/\s+/),
);

/** @param kind span kind of the near side */
export function farSideType(peer: string, kind: string): FarSideType {
  if (kind === "producer" || kind === "consumer") return "messaging_system";
  const colon = peer.indexOf(":");
  const system = (colon < 0 ? peer : peer.slice(0, colon)).toLowerCase();
  if (databases.has(system)) return "database";
  return messagingSystems.has(system) ? "messaging_system" : "";
}

/** True for an address that means another host to every caller. */
export function isLoopback(peer: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)(:\d+)?$/i.test(peer);
}
