/**
 * Version of the schemas. A test hashes them: whoever changes one raises this number, writes the history in
 * docs/protocol.md and records the new hash in codec/vectors/version.json.
 */
export const PROTOCOL_VERSION = 1;
