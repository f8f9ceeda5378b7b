/** The one place where a bridge asks whether it may act (spec: block 8). Ops take this, never the grant list. */
export interface GrantGate {
  readonly restricted: boolean;
  /** May this shell text or executable run? Throws BlockError grant.denied. `executable` null = shell text. */
  run(executable: string | null, detach: boolean): void;
  /** Path after the check: absolute, real. Relative paths start at `cwd`. Throws grant.denied. */
  path(verb: "read" | "write", path: string): Promise<string>;
  /** Checks a URL before anything is sent and gives the connect rules for it. Throws grant.denied. */
  url(url: URL): NetRule;
  env(name: string): boolean;
  mesh(to: string): void;
  /** A function of a bridge that the host gives. Throws grant.denied. */
  given(bridge: string, verb: string): void;
  secret(name: string): boolean;
}

/** Checked again for each address a name resolves to: only an address that passes may be connected to. */
export interface NetRule {
  /** Throws BlockError grant.denied for an address that is not granted. */
  address(ip: string, port: number): void;
}
