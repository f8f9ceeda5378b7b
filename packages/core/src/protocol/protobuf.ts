/** The one door to the protobuf runtime beside the generated code. */
export { create, fromBinary, isFieldSet, ScalarType, toBinary } from "@bufbuild/protobuf";
export type { DescField, DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
