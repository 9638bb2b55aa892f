/**
 * General protobuf libraries reading OTLP traces, each with the schema in the form it wants, made
 * from the one table of messages the product has too.
 */
import { create, createFileRegistry, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { PbfReader } from "pbf";
import protobufjs from "protobufjs";
import { type FieldType, isMessage, type Scalar } from "../../wire/otlp-fields.ts";
import { messages } from "../../wire/otlp-messages.ts";

export interface OtlpDecoder {
  readonly name: string;
  /** The whole request as objects. */
  decode(bytes: Uint8Array): unknown;
}

interface Request {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly unknown[] }[];
  }[];
}

/** How many spans a decoder found, to see that it did its work. */
export function spansIn(decoded: unknown): number {
  return (decoded as Request).resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans)
    .reduce((sum, { spans }) => sum + spans.length, 0);
}

const protoTypes: Readonly<Record<Scalar, string>> = {
  text: "string",
  traceId: "bytes",
  spanId: "bytes",
  base64: "bytes",
  boolean: "bool",
  int64: "int64",
  uint64: "uint64",
  sint32: "sint32",
  sfixed64: "sfixed64",
  uint32: "uint32",
  enum: "int32",
  double: "double",
  fixed64: "fixed64",
  fixed32: "fixed32",
};

function typeOf(field: FieldType): string {
  return isMessage(field.type) ? field.type : protoTypes[field.type];
}

const protobufJsRoot = protobufjs.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([fieldName, field]) => [
            fieldName,
            {
              id: field.number,
              type: typeOf(field),
              ...(field.repeated ? { rule: "repeated" as const } : {}),
            },
          ]),
        ),
        ...(name === "anyValue" ? { oneofs: { value: { oneof: Object.keys(fields) } } } : {}),
      },
    ]),
  ),
});

export const protobufJsRequest = protobufJsRoot.lookupType("request");

/** Its generated decoders, the fastest it has. */
const protobufJs: OtlpDecoder = {
  name: "protobufjs",
  decode: (bytes) => protobufJsRequest.decode(bytes),
};

const descriptorTypes: Readonly<Record<string, FieldDescriptorProto_Type>> = {
  string: FieldDescriptorProto_Type.STRING,
  bytes: FieldDescriptorProto_Type.BYTES,
  bool: FieldDescriptorProto_Type.BOOL,
  int64: FieldDescriptorProto_Type.INT64,
  uint64: FieldDescriptorProto_Type.UINT64,
  sint32: FieldDescriptorProto_Type.SINT32,
  sfixed64: FieldDescriptorProto_Type.SFIXED64,
  uint32: FieldDescriptorProto_Type.UINT32,
  int32: FieldDescriptorProto_Type.INT32,
  double: FieldDescriptorProto_Type.DOUBLE,
  fixed64: FieldDescriptorProto_Type.FIXED64,
  fixed32: FieldDescriptorProto_Type.FIXED32,
};

const bufbuildSchema = createBufbuildSchema();
const bufbuild: OtlpDecoder = {
  name: "@bufbuild/protobuf",
  decode: (bytes) => fromBinary(bufbuildSchema, bytes),
};

function createBufbuildSchema(): DescMessage {
  const file = create(FileDescriptorProtoSchema, {
    name: "otlp.proto",
    syntax: "proto3",
    messageType: Object.entries(messages).map(([name, fields]) => ({
      name,
      oneofDecl: name === "anyValue" ? [{ name: "value" }] : [],
      field: Object.entries(fields).map(([fieldName, field]) => ({
        name: fieldName,
        jsonName: fieldName,
        number: field.number,
        label: field.repeated
          ? FieldDescriptorProto_Label.REPEATED
          : FieldDescriptorProto_Label.OPTIONAL,
        type: descriptorTypes[typeOf(field)] ?? FieldDescriptorProto_Type.MESSAGE,
        ...(isMessage(field.type) ? { typeName: `.${field.type}` } : {}),
        ...(name === "anyValue" ? { oneofIndex: 0 } : {}),
      })),
    })),
  });
  const schema = createFileRegistry(file, () => undefined).getMessage("request");
  if (schema === undefined) throw new Error("the schema has no request");
  return schema;
}

type Readers = Readonly<Record<string, (reader: PbfReader) => unknown>>;

const pbfReaders = await createPbfReaders();
/** Reads fixed64 as a double, so ids and times lose bits; it is faster for that. */
const pbf: OtlpDecoder = {
  name: "pbf",
  decode: (bytes) => pbfReaders.readrequest?.(new PbfReader(bytes)),
};

async function createPbfReaders(): Promise<Readers> {
  // It has no types.
  const compiler: string = "pbf/compile";
  const { compile } = (await import(compiler)) as { compile(schema: unknown): Readers };
  return compile({
    syntax: 3,
    package: null,
    enums: [],
    extends: [],
    messages: Object.entries(messages).map(([name, fields]) => ({
      name,
      enums: [],
      extends: [],
      messages: [],
      extensions: null,
      fields: Object.entries(fields).map(([fieldName, field]) => ({
        name: fieldName,
        type: typeOf(field),
        tag: field.number,
        map: null,
        oneof: name === "anyValue" ? "value" : null,
        required: false,
        repeated: field.repeated,
        options: {},
      })),
    })),
  });
}

export const otlpDecoders: readonly OtlpDecoder[] = [protobufJs, bufbuild, pbf];

/** The same request as OTLP/JSON: ids in hex, long integers as text. */
export function jsonOf(bytes: Uint8Array): string {
  const object = protobufJsRequest.toObject(protobufJsRequest.decode(bytes), { longs: String });
  return JSON.stringify(object, function (this: Record<string, unknown>, key, value: unknown) {
    const raw = this[key];
    return raw instanceof Uint8Array ? Buffer.from(raw).toString("hex") : value;
  });
}
