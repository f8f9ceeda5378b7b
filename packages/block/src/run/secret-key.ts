/** A key is 32 bytes as hex digits. The text says how many there are, never what they are. */
export function secretKeyProblem(key: string): string | undefined {
  const expected = "secret-key: expected 64 hex chars,";
  if (key.length !== 64) return `${expected} got ${key.length}`;
  const wrong = /[^0-9a-f]/i.exec(key);
  return wrong === null ? undefined : `${expected} character ${wrong.index + 1} is none`;
}
