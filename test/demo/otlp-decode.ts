/** Spans out of OTLP protobuf: a second, plain reader, so that our own does not judge the shop. */
export interface SeenSpan {
  readonly service: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly name: string;
  /** internal, server, client, producer or consumer. */
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  readonly linkedSpanIds: readonly string[];
  readonly eventNames: readonly string[];
}

type Field = Buffer | bigint;
type Fields = ReadonlyMap<number, readonly Field[]>;

const kinds = ["", "internal", "server", "client", "producer", "consumer"];
const statusError = 2n;

export function decodeSpans(request: Buffer): SeenSpan[] {
  return messages(readFields(request), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? new Map(), 1);
    return messages(resourceSpans, 2)
      .flatMap((scopeSpans) => messages(scopeSpans, 2))
      .map((span) => toSpan(span, resource));
  });
}

function toSpan(span: Fields, resource: Record<string, string>): SeenSpan {
  const startNs = numberOf(span, 7);
  const status = messages(span, 15)[0];
  return {
    service: resource["service.name"] ?? "",
    resource,
    name: bytesOf(span, 5).toString(),
    kind: kinds[Number(numberOf(span, 6))] ?? "",
    traceId: bytesOf(span, 1).toString("hex"),
    spanId: bytesOf(span, 2).toString("hex"),
    parentId: bytesOf(span, 4).toString("hex"),
    startMs: Number(startNs / 1000n) / 1000,
    durationMs: Number((numberOf(span, 8) - startNs) / 1000n) / 1000,
    failed: status !== undefined && numberOf(status, 3) === statusError,
    attributes: attributesOf(span, 9),
    linkedSpanIds: messages(span, 13).map((link) => bytesOf(link, 2).toString("hex")),
    eventNames: messages(span, 11).map((event) => bytesOf(event, 2).toString()),
  };
}

function attributesOf(owner: Fields, number: number): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of messages(owner, number)) {
    const value = messages(pair, 2)[0]?.entries().next().value;
    attributes[bytesOf(pair, 1).toString()] = String(value?.[1][0] ?? "");
  }
  return attributes;
}

function readFields(bytes: Buffer): Fields {
  const fields = new Map<number, Field[]>();
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(offset++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (size: number): Buffer => {
    if (offset + size > bytes.length) throw new Error("protobuf ends within a field");
    offset += size;
    return bytes.subarray(offset - size, offset);
  };
  while (offset < bytes.length) {
    const tag = varint();
    const wire = Number(tag & 7n);
    let value: Field;
    if (wire === 0) value = varint();
    else if (wire === 1) value = take(8).readBigUInt64LE();
    else if (wire === 2) value = take(Number(varint()));
    else if (wire === 5) value = BigInt(take(4).readUInt32LE());
    else throw new Error(`wire type ${wire} is not protobuf 3`);
    const number = Number(tag >> 3n);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function messages(owner: Fields, number: number): Fields[] {
  return (owner.get(number) ?? []).map((field) => readFields(field as Buffer));
}

function bytesOf(owner: Fields, number: number): Buffer {
  return (owner.get(number)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
}

function numberOf(owner: Fields, number: number): bigint {
  return (owner.get(number)?.[0] as bigint | undefined) ?? 0n;
}
