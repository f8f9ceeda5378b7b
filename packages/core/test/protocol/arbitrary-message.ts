/** Random messages of any schema, from its descriptor. */
import fc from "fast-check";
import { ScalarType, type DescField, type DescMessage } from "@atoll-run/core/internal";
import { fieldRule } from "../../src/codec/field-rules.ts";

const SCALARS: Readonly<Partial<Record<ScalarType, fc.Arbitrary<unknown>>>> = {
  [ScalarType.UINT32]: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff })),
  [ScalarType.INT32]: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  [ScalarType.UINT64]: fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 64n) - 1n)),
  [ScalarType.INT64]: fc.bigInt(-(1n << 63n), (1n << 63n) - 1n),
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.FLOAT]: fc.float({ noNaN: true }),
  [ScalarType.DOUBLE]: fc.double({ noNaN: true }),
};

export function arbitraryMessage(schema: DescMessage): fc.Arbitrary<Record<string, unknown>> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  const optional = fc.constant(undefined);
  for (const field of schema.fields.filter(({ oneof }) => oneof === undefined)) {
    const one = arbitraryField(field);
    const isRequired = field.presence === 3;
    fields[field.localName] = field.fieldKind === "list" ? fc.array(one, { maxLength: 3 })
      : isRequired ? one : fc.oneof(optional, one);
  }
  for (const { localName, fields: cases } of schema.oneofs) {
    fields[localName] = fc.oneof(fc.constant(undefined), ...cases.map((field) =>
      arbitraryField(field).map((value) => ({ case: field.localName, value }))));
  }
  return fc.record(fields).map((record) =>
    Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)));
}

function arbitraryField(field: DescField): fc.Arbitrary<unknown> {
  const { message, scalar, enum: values, parent, name } = field;
  if (message) return arbitraryMessage(message);
  if (values) return fc.constantFrom(...values.values.map(({ number }) => number));
  const { bytesExact, bytesMax, nonEmpty } = fieldRule(parent.typeName, name);
  if (scalar === ScalarType.BYTES) {
    return fc.uint8Array({ minLength: bytesExact ?? 0, maxLength: bytesExact ?? 40 });
  }
  if (scalar === ScalarType.STRING) {
    const maxLength = Math.min(60, (bytesMax ?? 400) / 4);
    return fc.string({ unit: "binary", minLength: nonEmpty ? 1 : 0, maxLength });
  }
  return SCALARS[scalar as ScalarType] as fc.Arbitrary<unknown>;
}
