import assert from "node:assert/strict";
import { test } from "node:test";
import { isSecretKey, isSecretName, luaFloat, maskUrl, Redactor, Secret, stringifyJson,
  type Json } from "@atoll-run/core";
import fc from "fast-check";

const SECRET_NAMES = [
  "OPENAI_API_KEY", "API_KEY_OLD", "PET_TOKEN", "TOKEN", "TOKENIZER_X", "GITHUB_TOKEN_2", "AWS_SECRET",
    "MY_SECRETS", "DB_PASSWORD", "PASSWD",
  "SSH_PRIVATE_KEY", "AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS", "openai_api_key", "SECRET_TOKENS",
    "API_KEY_TOKENS",
];
const OPEN_NAMES = ["MAX_TOKENS", "TOKENS", "max_tokens", "PATH", "HOME", "APIKEY", "KEY", "AUTHOR", "PASS",
  "TOKE"];

for (const name of SECRET_NAMES) test(`a variable called ${name} is secret`,
  () => assert.ok(isSecretName(name)));
for (const name of OPEN_NAMES) test(`a variable called ${name} is not secret`,
  () => assert.equal(isSecretName(name), false));

test("keys of ab.obs lines are masked by what they contain", () => {
  for (const key of ["Authorization", "set-cookie", "auth_token", "client_secret", "PASSWORD", "passwd",
    "x-api-key", "apiKey", "aws_access_key_id", "private_key"]) {
    assert.ok(isSecretKey(key), key);
  }
  for (const key of ["url", "method", "status", "author", "key", "tool"]) assert.equal(isSecretKey(key),
    false, key);
});

const masking = (...values: string[]): Redactor => {
  const redactor = new Redactor();
  for (const value of values) redactor.add(value);
  return redactor;
};

test("known values are masked wherever they stand, of overlapping ones the longest first", () => {
  const redactor = masking("abcd", "abcdefgh", "x.y*z(");
  assert.equal(redactor.text("abcd abcdefgh abcde x.y*z( xzy*z( abc"),
    "[REDACTED] [REDACTED] [REDACTED]e [REDACTED] xzy*z( abc");
  assert.equal(redactor.text("$& and nothing"), "$& and nothing");
});

test("values shorter than four characters are not masked, and say so", () => {
  const redactor = new Redactor();
  assert.equal(redactor.add("abc"), false);
  assert.equal(redactor.add("  ab \n"), true);
  assert.equal(redactor.add(new Secret("abcd")), true);
  assert.equal(redactor.text("abc abcd"), "abc [REDACTED]");
});

test("a value is masked without the line end it was read with, in JSON and in a URL too", () => {
  const value = "p\"ss wörd\n";
  const redactor = masking(value);
  for (const text of [value, value.trim(), JSON.stringify({ value }),
    `?k=${encodeURIComponent(value.trim())}`]) {
    assert.ok(!/ss.*rd/.test(redactor.text(text)), redactor.text(text));
  }
});

test("texts in JSON values are masked, keys too, and all else stays", () => {
  const value = { list: ["my s3cret", 7, 8n, null, true], s3cret: { a: luaFloat(8) as unknown as Json } };
  assert.deepEqual(masking("s3cret").json(value), {
    list: ["my [REDACTED]", 7, 8n, null, true], "[REDACTED]": { a: luaFloat(8) },
  });
  assert.equal(new Redactor().json(value), value);
});

test("when no more values can be known, adding says so", () => {
  const redactor = new Redactor();
  let known = 0;
  while (redactor.add(`value-${known}`)) known++;
  assert.ok(known >= 1_000 && known <= 4_096, String(known));
});

test("no known value is left in any text or JSON", () => {
  const values = fc.array(fc.string({ minLength: 4, maxLength: 10 }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(values, fc.array(fc.string({ maxLength: 6 }), { maxLength: 4 }),
    (secrets, around) => {
    const redactor = masking(...secrets);
    const text = around.flatMap((s, i) => [s, secrets[i % secrets.length] ?? ""]).join("");
    const masked = [redactor.text(text), stringifyJson(redactor.json({ [text]: [text] })),
      redactor.text(JSON.stringify(text))];
    for (const shown of masked.map((m) => (typeof m === "string" ? m : m.ok ? m.text : ""))
      .map((m) => m.replaceAll("[REDACTED]", "\u0000"))) {
      for (const secret of secrets) assert.ok(secret.includes("\u0000") || !shown.includes(secret),
        `${shown} shows ${secret}`);
    }
  }));
});

const URLS: readonly (readonly [string, string])[] = [
  ["https://user:pw@host:8443/a/b?key=1#frag", "https://host:8443/a/b"], ["http://host", "http://host"],
    ["http://host/", "http://host/"],
  ["http://host?token=1", "http://host"], ["https://token@host/x", "https://host/x"],
    ["http:\\\\user:pw@host\\x", "http://host/x"],
  ["host/path?token=abc", "host/path..."], ["user:pw@host/a/very/long/path/indeed", "host/a/very/long..."],
  ["mailto:somebody@example.org", "example.org..."], ["data:text/plain,secret-secret", "data:text/plain,..."],
  ["http://u:p@[bad", "http://[bad..."], ["", "..."],
];

for (const [url, shown] of URLS) test(`the URL '${url}' is shown as '${shown}'`,
  () => assert.equal(maskUrl(url), shown));
