/** Nothing has arrived yet: what to do next. */

/** The agent's default ports; it says its own when it starts. */
const httpPort = 4318;
const grpcPort = 4317;

export function FirstSteps({ hasIncidents }: { hasIncidents: boolean }) {
  const host = window.location.hostname;
  return (
    <div className="first-steps">
      <h2 className="pane-title">Nothing has arrived yet</h2>
      <p>
        Brunt works from OpenTelemetry traces. Point any exporter at the agent and the services it
        sees appear here within half a minute
        {hasIncidents ? "" : "; incidents follow by themselves"}.
      </p>
      <h3>1. Send OTLP</h3>
      <pre>
        <code>
          export OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:{httpPort}
        </code>
      </pre>
      <p>
        That is OTLP over HTTP; gRPC is at{" "}
        <code>
          http://{host}:{grpcPort}
        </code>
        . An agent on another host or port prints its addresses when it starts.
      </p>
      <h3>2. Say who is a customer</h3>
      <p>
        Put <code>customer.id</code>, <code>tenant.id</code> or <code>user.id</code> on the spans
        where requests enter. The agent hashes it; the name never leaves the node.
      </p>
      <h3>Or look around first</h3>
      <pre>
        <code>brunt demo</code>
      </pre>
      <p>starts a small shop with real services, breaks it, and shows the incident here.</p>
    </div>
  );
}
