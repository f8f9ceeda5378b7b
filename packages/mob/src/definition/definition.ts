/** What a mob is to be (spec: mob 1, 3.1, 3.2, 4, 8.9, 9.2). Data, as in `mob.toml`, with defaults filled in. */
import type { Json } from "@atoll-run/core";
import type { Taint } from "../sessions/taint.ts";

export interface MobDefinition {
  readonly mob: { readonly id: string; readonly bootstrap: Bootstrap };
  /** `count` unfolded. */
  readonly members: readonly MemberSpec[];
  /** `@name` unfolded into pairs when edges are reconciled. */
  readonly edges: readonly (readonly [string, string])[];
  readonly profiles: Readonly<Record<string, Profile>>;
  readonly approvals: readonly ApprovalRule[];
  readonly flows: Readonly<Record<string, FlowDefinition>>;
  /** Null: roles of tokens alone say who may what. */
  readonly access: AccessRules | null;
  readonly limits: Readonly<Record<string, number>>;
  /** Model → price; a name may end in `*`, the longest that fits counts. */
  readonly prices: Readonly<Record<string, Price>>;
  /** File that it was read from, absolute: what it names lies beside it. Absent: a program has made it. */
  readonly source?: string;
  /** Name of a file in it → a hash of what stood in that file when it was read: who runs it is started anew when it differs. */
  readonly files?: Readonly<Record<string, string>>;
}

/** US dollars for a million tokens; those of a cache cost as much as others where it is not said. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cache_read?: number | undefined;
  readonly cache_write?: number | undefined;
}

/** At most so much; what is not there has no bound. */
export interface BudgetLimits {
  readonly tokens?: number | undefined;
  readonly cost_usd?: number | undefined;
  readonly turns?: number | undefined;
  readonly tool_calls?: number | undefined;
  readonly wall_ms?: number | undefined;
}

/** `day`: of UTC. `life`: since the member was first there. */
export interface Budget {
  readonly turn?: Omit<BudgetLimits, "turns"> | undefined;
  readonly day?: BudgetLimits | undefined;
  readonly life?: BudgetLimits | undefined;
}

/**
 * Who is started with the mob: `lazy`: those with mail, and autonomous ones; `eager`: all, and the mob is ready when all are; `lazy_warm`: all,
 * `concurrency` at a time, while the mob works already.
 */
export interface Bootstrap {
  readonly mode: "lazy" | "eager" | "lazy_warm";
  readonly concurrency: number;
}

export type Text = string | { readonly file: string };

/** `turn_driven`: it runs when it is given a turn. `autonomous`: it gets a first turn when it is there, hears of its peers, and never sleeps. */
export type MemberMode = "turn_driven" | "autonomous";

export interface ModelParams {
  readonly max_tokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  /** Rounds of tools in one turn. */
  readonly max_iterations?: number | undefined;
}

export interface Profile {
  readonly runs: { readonly script: string } | { readonly linked: string } | { readonly agent: true };
  readonly model: string | null;
  readonly provider: string | null;
  readonly system: Text | null;
  readonly instructions: readonly Text[];
  /** After those in the system prompt. */
  readonly skills: readonly Text[];
  readonly model_params: ModelParams | null;
  /** `verb:pattern`, also `mob:<verb>`; none at all by default. */
  readonly grants: readonly string[];
  readonly mode: MemberMode;
  readonly external: boolean;
  readonly budget: Budget | null;
  readonly restart: "on_failure" | "always" | "never";
  readonly idle_after_ms: number;
  /** Turns at the same time, one for each conversation. */
  readonly conversations: number;
  readonly output_schema: Json | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly initial_message: string | null;
  /** What those it is wired to are told of it. */
  readonly peer_description: string | null;
  readonly visible: boolean;
}

export interface MemberSpec {
  readonly id: string;
  readonly profile: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly context?: Json;
  readonly instructions?: readonly Text[];
  readonly model?: string;
  readonly system?: Text;
  /** May narrow those of the profile, never widen. */
  readonly grants?: readonly string[];
  readonly mode?: MemberMode;
  readonly external?: boolean;
  /** May narrow that of the profile. */
  readonly budget?: Budget;
  readonly display_name?: string;
  readonly initial_message?: string;
  readonly resume?: "last" | "fresh" | { readonly session_id: string };
}

export type Tier = "R0" | "R1" | "R2" | "R3" | "deny";

export interface ApprovalRule {
  readonly id: string;
  readonly match: {
    readonly tool?: string; readonly grant?: string; readonly object?: string; readonly member?: string;
    readonly profile?: string; readonly args?: Readonly<Record<string, string>>; readonly labels?: Readonly<Record<string, string>>;
    /** Of the turn, or worse. */
    readonly taint?: Taint;
    /** Who gave the turn. */
    readonly origin?: string;
  };
  readonly tier: Tier;
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly timeout_ms: number;
  readonly on_timeout: "draft" | "deny";
  readonly self_approval: boolean | null;
}

/** Who may do what over HTTP (spec: mob 11.10). */
export interface AccessRules {
  /** Principals that no rule binds; at least one. */
  readonly admins: readonly string[];
  readonly rules: readonly AccessRule[];
}

export interface AccessRule {
  readonly effect: "allow" | "deny";
  /** Globs. Whoever is one of those, or in one of the groups. */
  readonly principals: readonly string[];
  readonly groups: readonly string[];
  /** Globs of actions: `member.*`. */
  readonly actions: readonly string[];
  /** Globs; what is named must hold. None of the three: on the mob and all of its members. */
  readonly members: readonly string[] | null;
  readonly profiles: readonly string[] | null;
  readonly labels: Readonly<Record<string, string>> | null;
}

export interface FlowDefinition {
  /** In the order of the file. */
  readonly steps: Readonly<Record<string, FlowStep>>;
  readonly topology?: Topology;
  readonly supervisor?: Supervisor;
}

/** From whose work to whose it may go on; the first rule that fits counts, without one it may. */
export interface Topology {
  /** A pair that is forbidden: its step fails, or is written down. */
  readonly mode: "strict" | "advisory";
  /** Profiles, or `*`. */
  readonly rules: readonly { readonly from: string; readonly to: string; readonly allowed: boolean }[];
}

/** Who is told when a step fails its run. */
export interface Supervisor {
  readonly role: string;
  /** Asks of the step that have failed, from which on. */
  readonly threshold: number;
}

export interface FlowStep {
  readonly to: { readonly role: string } | { readonly member: string };
  readonly message: string | null;
  readonly depends_on: readonly string[];
  readonly depends_on_mode: "all" | "any";
  readonly dispatch: "fan_out" | "fan_in" | "one_to_one" | "share";
  /** Path to a list; of `share`. */
  readonly items: string | null;
  readonly key: string | null;
  readonly collect: "all" | "any" | { readonly quorum: number };
  readonly timeout_ms: number;
  readonly retries: number;
  readonly expect: Json | null;
  /** `text`: what is not text becomes JSON text. `json` with `expect`: JSON that a member wrote as text is read. */
  readonly output: "json" | "text";
  /** Globs. Turns of this step use no others; null: all. */
  readonly allow_tools: readonly string[] | null;
  readonly block_tools: readonly string[];
  readonly on_failure: "escalate" | "continue";
  /** Turns that are not needed any more are not cancelled. */
  readonly let_finish: boolean;
}

/** One thing that is wrong with a definition. */
export interface Problem {
  /** `profiles.scout.grants[1]`. */
  readonly path: string;
  readonly text: string;
  readonly hint?: string;
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
}

/** Where a tree comes from. */
export interface Origin {
  readonly locate?: Locate;
  /** See {@link MobDefinition.source}. */
  readonly source?: string;
  /** See {@link MobDefinition.files}. */
  readonly files?: Readonly<Record<string, string>>;
  /** What its reader found already: told with the rest. */
  readonly problems?: readonly Problem[];
}

/** Finds where a path stands in the source; the reader of the file gives it. */
export type Locate = (path: readonly (string | number)[]) => { readonly file: string; readonly line: number } | undefined;
