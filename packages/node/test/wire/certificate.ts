/** A certificate for this machine, made by an authority of our own, with the tool that every machine has. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Undefined where there is no openssl. */
export function certificate(): Certificate | undefined {
  const folder = mkdtempSync(join(tmpdir(), "atoll-certificate-"));
  const run = (...words: string[]): void => {
    execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
  };
  try {
    writeFileSync(join(folder, "names"), "subjectAltName=IP:127.0.0.1,DNS:localhost");
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    run("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA");
    run("req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost");
    run("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem",
      "-days", "2", "-extfile", "names");
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
