/** `[http]` of `atoll.toml` as what serves a mob takes it (spec: mob 11.8). */
import type { ServeMobOptions } from "../../src/mob.ts";
import type { Deployed } from "../tier/deployment.ts";
import { readTls } from "../tier/node-config.ts";
import { misuse } from "../tier/verb.ts";

/** Throws a misuse for an issuer without audience, and for a certificate without key. */
export function toServeOptions({ deployment: { http }, folder }: Deployed): ServeMobOptions {
  const { port, host, hosts = [], read_only: readOnly, trusted_proxies: trustedProxies, oidc_issuer: issuer, oidc_audience: audience, oidc_emails: emails, oidc_services: services } = http;
  if (issuer !== undefined && audience === undefined) throw misuse("http.oidc_audience", "is missing: say for whom the tokens of http.oidc_issuer must be");
  const tls = readTls("http", http, folder);
  return {
    port, host, hosts, readOnly, ...tls === undefined ? {} : { tls }, ...trustedProxies === undefined ? {} : { trustedProxies },
    ...issuer === undefined || audience === undefined ? {} : { oidc: { issuer, audience, ...emails === undefined ? {} : { emails }, ...services === undefined ? {} : { services } } },
  };
}
